"""`--checkpoint`: tests of a network that another run trained."""

import json
import re
import shutil

import pytest

from opengait.main import main
from opengait.utils import messages
from tests.opengait import tiny

OUTPUT = "output/CASIA-B/TinySil"


@pytest.fixture
def run_main(folder, tmp_path, monkeypatch):
    """Return a function that runs the command line on a configuration, changed as its last arguments say."""
    monkeypatch.chdir(tmp_path)

    def run(phase: str, *arguments: str, **changes) -> int:
        trainer = {"output_root": "output", "total_iter": 1, "save_iter": 1, **changes.pop("trainer_cfg", {})}
        config = tiny.write_config(folder, trainer_cfg=trainer, **changes)
        return main(["--cfgs", str(config), "--phase", phase, *arguments])

    yield run
    messages.reset()


def results(file):
    return json.loads(file.read_text())


def test_results_of_other_data_are_kept_apart(run_main, folder, tmp_path, capsys):
    assert run_main("train") == run_main("test", "--checkpoint", f"{OUTPUT}/tiny") == 0
    own = tmp_path / OUTPUT / "tiny/logs/test-00001.json"
    content = own.read_text()
    # Other people under the same name, and a network of another size.
    moved = {"dataset_root": str(shutil.copytree(folder / "data", tmp_path / "moved"))}
    assert run_main("test", "--checkpoint", f"{OUTPUT}/tiny", data_cfg=moved, model_cfg={"width": 4}) == 0
    assert own.read_text() == content
    other = results(tmp_path / OUTPUT / "tiny-trained-on-CASIA-B/logs/test-tiny-00001.json")
    assert other["results"] == results(own)["results"]
    assert other["card"]["trained_on"] == results(own)["card"]["trained_on"]
    assert other["card"]["trained_on"]["name"] == "CASIA-B"

    capsys.readouterr()
    named = {"dataset_name": "Gait3D"}
    assert run_main("test", "--checkpoint", f"{OUTPUT}/tiny", data_cfg=named) == 0
    assert (tmp_path / "output/Gait3D/TinySil/tiny-trained-on-CASIA-B/logs/test-tiny-00001.json").is_file()
    log = capsys.readouterr().err
    assert re.search("Card: .*Gait3D [0-9a-f]{8}, trained on CASIA-B [0-9a-f]{8}, ", log)
    assert f"Network: {OUTPUT}/tiny/checkpoints/tiny-00001.pt, built as in {OUTPUT}/tiny/config.yaml" in log
    name = ["--set", "evaluator_cfg.save_name=mine"]
    assert run_main("test", "--checkpoint", f"{OUTPUT}/tiny", *name, data_cfg=named) == 0
    assert (tmp_path / "output/Gait3D/TinySil/mine/logs/test-tiny-00001.json").is_file()


def test_a_checkpoint_of_an_unknown_run(run_main, tmp_path):
    """The configuration describes its network; its classifiers may be for other people."""
    assert run_main("train") == 0
    necks = tiny.config(tmp_path)["model_cfg"]["SeparateBNNecks"] | {"class_num": 9}
    shutil.copy(tmp_path / OUTPUT / "tiny/checkpoints/tiny-00001.pt", tmp_path / "copy.pt")
    assert run_main("test", "--checkpoint", "copy.pt", model_cfg={"SeparateBNNecks": necks}) == 0
    assert results(tmp_path / OUTPUT / "tiny/logs/test-copy.json")["card"]["trained_on"] is None


def test_settings_of_the_network_change_that_of_the_run(run_main, capsys):
    assert run_main("train", model_cfg={"dropout": 0.3}) == 0
    checkpoint = ["--checkpoint", f"{OUTPUT}/tiny"]
    assert run_main("test", *checkpoint, "--set", "model_cfg.dropout=0.1") == 0
    assert run_main("test", *checkpoint, "--set", "model_cfg.width=4") == 2
    assert "does not fit this TinySil" in capsys.readouterr().err


def test_errors(run_main, tmp_path, capsys):
    for text, message in (("missing", "missing does not exist"), (".", r"\. has no checkpoints")):
        assert run_main("test", "--checkpoint", text) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert re.search(f"--checkpoint: expected a run folder or a checkpoint .*{message}", error)
    assert run_main("train") == 0
    model = {"model": "Baseline"}
    assert run_main("test", "--checkpoint", f"{OUTPUT}/tiny", model_cfg=model) == 2
    assert re.search(r"tiny was trained with the model TinySil, but .*yaml tests Baseline", capsys.readouterr().err)
    for arguments in (["train", "--checkpoint", "x.pt"], ["test", "--checkpoint", "x.pt", "--iter", "1"]):
        with pytest.raises(SystemExit):
            run_main(*arguments)
