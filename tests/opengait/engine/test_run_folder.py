"""The folder of a run: its name, and what may start in it."""

import subprocess
import sys

import pytest

from opengait.engine.run_folder import RunFolder, output_path
from opengait.errors import ConfigError
from tests.paths import ROOT


def test_the_folder_of_each_phase():
    cfgs = {
        "data_cfg": {"dataset_name": "D"},
        "trainer_cfg": {"save_name": "t", "output_root": "o"},
        "evaluator_cfg": {"save_name": "e"},
        "model_cfg": {"model": "M"},
    }
    assert str(output_path(cfgs, True)) == "o/D/M/t"
    assert str(output_path(cfgs, False)) == "o/D/M/e"
    cfgs["data_cfg"] = [{"dataset_name": "A"}, {"dataset_name": "B"}]
    assert str(output_path(cfgs, True)) == "o/A_B/M/t"


@pytest.mark.slow
def test_it_does_not_import_torch():
    code = "import sys; import opengait.engine.run_folder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_what_a_kill_left_half_written_is_no_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".net-00002.host-7.part.pt").touch()
    RunFolder(tmp_path, "net").claim()
    (tmp_path / "checkpoints" / "other.pt").touch()
    with pytest.raises(ConfigError, match="checkpoint other.pt"):
        RunFolder(tmp_path, "net").claim()


def test_runs_are_possible_where_files_cannot_be_locked(tmp_path, monkeypatch):
    """As on Windows, which has no `fcntl`."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    folder = RunFolder(tmp_path / "run", "run")
    folder.claim()
    folder.begin()
    folder.close()
    assert (tmp_path / "run" / ".lock").exists()
