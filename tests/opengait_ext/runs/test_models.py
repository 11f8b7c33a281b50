"""Report, figures and export of every kind of model: silhouettes where the model makes or takes them."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.opengait_ext.every_model import MODELS, WITHOUT_SILHOUETTES
from tests.opengait_ext.runs.stand_in_runs import command, engine

pytestmark = pytest.mark.slow
MAKES = ("dinogrl", "biggait", "biggergait")


def run_of(every_model, name, folder):
    """Return a run folder in `folder` with a test of a model."""
    cfgs, checkpoint, _, _ = every_model(name)
    settings = [f"evaluator_cfg.restore_hint={checkpoint}", "evaluator_cfg.save_features=true"]
    with engine(folder) as run:
        assert run(cfgs, "test", *settings) == 0
    (root,) = (file.parent.parent for file in folder.glob("output/*/*/*/logs/test-*.json"))
    return root


@pytest.mark.parametrize("name", MODELS)
def test_report_and_figures(every_model, name, tmp_path, capsys, caplog):
    root = run_of(every_model, name, tmp_path)
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


@pytest.mark.parametrize("name", WITHOUT_SILHOUETTES)
def test_report_and_figures_without_silhouettes(every_model, name, tmp_path, capsys, caplog):
    root = run_of(every_model, name, tmp_path)
    caplog.clear()
    assert command("report")([str(root), "--out", str(tmp_path), "--animations", "1", "--worst", "1"]) == 0
    text = (tmp_path / "index.html").read_text()
    assert re.findall('<section id="(silhouettes|inside)">|silhouette, % of the frame', text) == []
    # Ranked lists and worst queries show the frames, which the model reads as others do.
    assert '<section id="lists"><h2>Ranked lists</h2><figure>' in text and "Frames cannot be shown" not in text
    for place in (text, caplog.text):
        assert len(re.findall("Silhouettes cannot be shown: The model .* makes no silhouettes", place)) == 1
    capsys.readouterr()
    assert command("figures")(["lists", str(root), "--out", str(tmp_path / "lists")]) == 0
    for kind in ("silhouettes", "attention"):
        assert command("figures")([kind, str(root), "--out", str(tmp_path / kind)]) == 2
        error = capsys.readouterr().err
        assert "makes no silhouettes" in error and error.count("\n") == 1


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
