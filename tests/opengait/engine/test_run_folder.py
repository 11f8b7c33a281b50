"""The folder of a run."""

import pytest

from opengait.engine.run_folder import RunFolder
from opengait.errors import ConfigError


def test_what_a_kill_left_half_written_is_no_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".net-00002.host-7.part.pt").touch()
    RunFolder(tmp_path, "net").claim()
    (tmp_path / "checkpoints" / "other.pt").touch()
    with pytest.raises(ConfigError, match="checkpoint other.pt"):
        RunFolder(tmp_path, "net").claim()
