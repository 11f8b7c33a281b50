"""Report, figures and export of every kind of model: silhouettes where the model makes or takes them."""

import numpy as np
import pytest
from PIL import Image

from tests.opengait_ext.every_model import MODELS
from tests.opengait_ext.runs.stand_in_runs import command, engine

pytestmark = pytest.mark.slow
MAKES = ("dinogrl", "biggait", "biggergait")


@pytest.mark.parametrize("name", MODELS)
def test_report_and_figures(every_model, name, tmp_path, capsys, caplog):
    cfgs, checkpoint, _, _ = every_model(name)
    settings = [f"evaluator_cfg.restore_hint={checkpoint}", "evaluator_cfg.save_features=true"]
    with engine(tmp_path) as run:
        assert run(cfgs, "test", *settings) == 0
    (root,) = (file.parent.parent for file in tmp_path.glob("output/*/*/*/logs/test-*.json"))
    caplog.clear()
    assert command("report")([str(root), "--out", str(tmp_path), "--animations", "1", "--worst", "1"]) == 0
    text = (tmp_path / "index.html").read_text()
    assert '<section id="silhouettes">' in text and text.count("image/gif") == 2
    assert ('<section id="inside">' in text) == (name == "dinogrl")
    assert ("inside of the network cannot be shown" in caplog.text) == (name in ("biggait", "biggergait"))
    assert ("silhouette, % of the frame" in text) == (name in MAKES) and "Silhouettes cannot be shown" not in text
    capsys.readouterr()
    assert command("figures")(["silhouettes", str(root), "--out", str(tmp_path / "figure")]) == 0
    status = command("figures")(["attention", str(root), "--out", str(tmp_path / "attention")])
    error = capsys.readouterr().err
    assert (status, error.count("\n")) == ((0, 0) if name == "dinogrl" else (2, 1))


@pytest.mark.parametrize("name", MODELS)
def test_export(every_model, name, tmp_path, capsys):
    cfgs, checkpoint, _, _ = every_model(name)
    arguments = ["--cfgs", str(cfgs), "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out"), "--pkl"]
    capsys.readouterr()
    status = command("export-silhouettes")([*arguments, "--tracklets", "2", "--frames", "2"])
    if name not in MAKES:
        error = capsys.readouterr().err
        assert status == 2 and "makes no silhouettes of its own" in error and error.count("\n") == 1
        return
    assert status == 0
    for kind in ("mask", "enriched"):
        files = sorted((tmp_path / "out").glob(f"0*/*/*/{kind}/*.png"))
        assert len(files) == 4
        assert np.stack([np.asarray(Image.open(file)) for file in files]).std() > 1
    assert command("export-silhouettes")([*arguments, "--tracklets", "2", "--frames", "2"]) == 0
    assert "0 tracklets (0 frames) written" in capsys.readouterr().out
