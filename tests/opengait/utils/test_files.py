"""Atomic writing: failures keep the old file, and what killed processes left is removed."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from opengait.errors import OutputError
from opengait.utils import files
from opengait.utils.files import write_text, write_whole


def test_a_failure_keeps_the_old_file(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def fail(partial):
        partial.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"a\.txt: No space left on device"):
        write_whole(file, fail)
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("file/sub/a.txt", "file"), ("folder", "is a folder"), ("pipe", "not a regular file"), ("x" * 300, "too long")],
)
def test_places_that_cannot_be_written(tmp_path, path, reason):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match=f"Cannot write .*{reason}"):
        write_text(tmp_path / path, "x")


def test_a_name_may_be_as_long_as_the_file_system_permits(tmp_path):
    write_text(tmp_path / ("é" * 125 + ".txt"), "x")


@pytest.fixture(scope="module")
def dead() -> int:
    """Return the id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_files_of_dead_processes_are_removed(tmp_path, dead):
    here = platform.node().replace(".", "_")
    gone = [f".a.pt.{dead}.part", f".a.{here}-{dead}.part.pt", f".b.{here}-{dead}.part"]
    kept = [f".a.{here}-{os.getppid()}.part.pt", f".a.elsewhere-{dead}.part.pt", ".part", "a.7.part", ".hidden"]
    for name in (*gone, *kept):
        (tmp_path / name).write_text("half")
    old = tmp_path / f".c.elsewhere-{dead}.part.pt"
    old.write_text("half")
    os.utime(old, (0, 0))
    write_text(tmp_path / "new.txt", "x")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*kept, "new.txt"])


def test_windows_is_not_asked_for_a_process_by_a_signal(monkeypatch):
    """There, `os.kill(process, 0)` sends Ctrl-C."""
    monkeypatch.setattr(files, "os", SimpleNamespace(name="nt", kill=lambda *_: pytest.fail("killed")))
    assert files._alive(1)
