"""Jobs that need other jobs: their order, and what a failure stops."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opengait_ext.experiments.devices import Device
from opengait_ext.experiments.jobs import Job, Step
from opengait_ext.experiments.launch import run_jobs

pytestmark = pytest.mark.slow


class Shell(Device):
    """Runs the arguments of a step as a program."""

    def command(self, module: str | None = None) -> list[str]:
        return [sys.executable, "-c"]


@dataclass(frozen=True, eq=False)
class Note(Job):
    """Writes a file if those of the jobs that it needs exist."""

    broken: bool = False

    def steps(self) -> Iterator[Step]:
        file = self.folder / "note"
        needed = [str(job.folder / "note") for job in self.needs]
        program = f"import os, sys; assert all(map(os.path.exists, {needed})); open({str(file)!r}, 'w')"
        if not file.exists():
            yield Step("note", None, ("print('error: no ink'); raise SystemExit(2)" if self.broken else program,))


def jobs_of(folder: Path, needs: dict[str, str], broken: str = "") -> dict[str, Note]:
    jobs: dict[str, Note] = {}
    for name, needed in needs.items():
        jobs[name] = Note(name, 0, folder / name, {}, name in broken, needs=tuple(jobs[need] for need in needed))
    return jobs


def test_a_job_waits_for_those_that_it_needs(tmp_path):
    jobs, lines = jobs_of(tmp_path, {"a": "", "b": "a", "c": "ab", "d": ""}), []
    # The last one first: the plan's order does not matter.
    assert run_jobs(list(jobs.values())[::-1], [Shell(), Shell()], lines.append) == {}
    assert all(job.done for job in jobs.values())
    assert [line for line in lines if line.startswith("[4/4]")]
    ended = [line.partition("] ")[2][0] for line in lines if line.startswith("[")]
    assert ended.index("a") < ended.index("b") < ended.index("c")


def test_a_job_that_has_waited_comes_in_its_place(tmp_path):
    jobs, lines = jobs_of(tmp_path, {"a": "", "b": "a", "c": "", "d": ""}), []
    assert run_jobs(list(jobs.values()), [Shell()], lines.append) == {}
    assert [line.partition("] ")[2][0] for line in lines if line.startswith("[")] == list("abcd")


def test_a_failure_stops_only_what_needs_it(tmp_path):
    jobs, lines = jobs_of(tmp_path, {"a": "", "b": "a", "c": "b", "d": ""}, broken="a"), []
    failures = run_jobs(list(jobs.values()), [Shell()], lines.append)
    assert {job.row: text for job, text in failures.items()} == {
        "a": "no ink",
        "b": "needs a, seed 0, which failed.",
        "c": "needs b, seed 0, which failed.",
    }
    assert jobs["d"].done and not jobs["c"].log.exists()
    assert any("c, seed 0: needs b, seed 0, which failed." in line for line in lines)


def test_what_is_done_is_not_done_again(tmp_path):
    jobs = jobs_of(tmp_path, {"a": "", "b": "a"})
    run_jobs([jobs["a"]], [Shell()], print)
    lines: list[str] = []
    assert run_jobs(list(jobs.values()), [Shell()], lines.append) == {}
    assert lines[0].startswith("b, seed 0: starts") and lines[1].startswith("[2/2] b, seed 0: done in")


@dataclass(frozen=True, eq=False)
class Help(Job):
    """Prints the help of `vvi`."""

    def steps(self) -> Iterator[Step]:
        if not self.log.is_file() or "benchmark" not in self.log.read_text():
            yield Step("help", "opengait_ext", ("--help",))


def test_a_step_finds_the_package_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Help("help", 0, tmp_path / "help", {})
    assert run_jobs([job], [Device()], print) == {} and job.done
