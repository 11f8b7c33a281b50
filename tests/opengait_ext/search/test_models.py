"""Descriptors of every kind of model: those of its test, from files as they lie on disk."""

import numpy as np
import pytest
from PIL import Image

from tests.opengait_ext.every_model import MODELS, WITHOUT_SILHOUETTES
from tests.opengait_ext.runs.stand_in_runs import command


@pytest.mark.slow
@pytest.mark.parametrize("name", (*MODELS, *WITHOUT_SILHOUETTES))
def test_descriptors_are_those_of_the_test(every_model, name, tmp_path, capsys):
    cfgs, checkpoint, inputs, expected = every_model(name)
    out = str(tmp_path / "gallery.cam1")
    arguments = ["--cfgs", str(cfgs), "--checkpoint", str(checkpoint), "--input", str(inputs), "--out", out]
    assert command("embed")(arguments) == 0
    with np.load(f"{out}.npz") as file:
        found = file["embeddings"]
    assert found.shape == expected.shape
    norms = np.linalg.norm(found[:, None] - expected[None], axis=(2, 3)) / np.linalg.norm(expected, axis=(1, 2)).clip(
        1e-9
    )
    # The dataset lists its tracklets in another order than the folders.
    assert max(norms.min(axis=0).max(), norms.min(axis=1).max()) < 1e-4
    capsys.readouterr()
    query = next(folder for folder in sorted(inputs.rglob("*")) if any(path.is_file() for path in folder.glob("*")))
    picture = ["--picture", str(tmp_path / "found"), "--json", str(tmp_path / "found.json")]
    words = ["--gallery", f"{out}.npz", "--query", str(query), "--top", "2", *picture]
    assert command("search")(words) == 0
    assert "match (level 0.05)" in capsys.readouterr().out.splitlines()[0]
    with Image.open(tmp_path / "found.png") as image:
        assert image.size[0] > 100
