"""Command line of the silhouette export."""

import pytest
import yaml

from tests.opengait_ext.runs.silhouettes.tiny import MODEL
from tests.opengait_ext.runs.stand_in_runs import command

export = command("export-silhouettes")


@pytest.fixture
def configuration(data_cfg, tmp_path):
    path = tmp_path / "tiny.yaml"
    cfg = {"extensions": ["opengait_ext"], "data_cfg": data_cfg | {"dataset_root": "elsewhere"}, "model_cfg": MODEL}
    path.write_text(yaml.safe_dump(cfg))
    return path


def test_all_outputs(configuration, checkpoint, data, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--cfgs", str(configuration), "--checkpoint", str(checkpoint), "--out", str(out), "--device", "cpu"]
    arguments += ["--set", f"data_cfg.dataset_root={data}", "--people", "0501", "--frames", "2", "--tracklets", "2"]
    arguments += ["--pkl", "--no-gif", "--truth", str(data), "--batch", "3"]
    assert export(arguments) == 0
    printed = capsys.readouterr().out
    assert "2 tracklets (4 frames) written" in printed
    assert "4 frames: visible 0." in printed
    folders = sorted(str(folder.relative_to(out)) for folder in out.glob("0*/*/*"))
    assert folders == ["0501/infrared/c2-t00003", "0501/visible/c2-t00001"]
    assert not list(out.rglob("*.gif"))
    assert {"contact_sheet.png", "iou.json", "projection.npz", "silhouettes.json"} <= {f.name for f in out.iterdir()}
    assert export(arguments) == 0
    assert "0 tracklets (0 frames) written" in capsys.readouterr().out


def test_errors_are_one_sentence_with_status_2(configuration, tmp_path, capsys):
    arguments = ["--cfgs", str(configuration), "--checkpoint", str(tmp_path / "no.pt"), "--out", str(tmp_path / "out")]
    assert export(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "no.pt" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("out", "reason"),
    [("file", "Not a directory"), ("x" * 300, "File name too long"), ("/proc/1/x", "cannot be written")],
)
def test_output_is_checked_before_the_network_is_loaded(configuration, tmp_path, capsys, out, reason):
    (tmp_path / "file").touch()
    arguments = ["--cfgs", str(configuration), "--checkpoint", str(tmp_path / "no.pt"), "--out", str(tmp_path / out)]
    assert export(arguments) == 2
    error = capsys.readouterr().err
    assert reason in error and "no.pt" not in error and error.count("\n") == 1


def test_numbers_are_checked(capsys):
    with pytest.raises(SystemExit):
        export(["--cfgs", "a", "--checkpoint", "b", "--out", "c", "--frames", "0"])
    assert "'0'" in capsys.readouterr().err
