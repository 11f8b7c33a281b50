"""`vvi benchmark` with the real engine, on a few people and for two iterations.

Everything runs in this process; that the launcher starts processes is tested with it.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from opengait import dry_run, main
from opengait.utils import messages
from opengait_ext import commands
from opengait_ext.experiments import work
from opengait_ext.experiments.jobs import Job
from tests.opengait_ext.benchmark.stand_in_methods import use_methods
from tests.opengait_ext.runs.stand_in_runs import command

pytestmark = pytest.mark.slow

benchmark = command("benchmark")
PROGRAMS = {None: main.main, "opengait_ext": commands.main, "opengait.dry_run": dry_run.main}


def here(jobs: Iterable[Job], devices: Any, report: Callable[[str], None]) -> dict[Job, str]:
    """Do jobs in this process, one after another."""
    failures = {}
    for job in [job for job in jobs if not job.done]:
        job.write_config()
        report(job.title)
        for step in job.steps():
            if PROGRAMS[step.module](list(step.arguments)):
                failures[job] = f"{step.name} failed"
                break
            messages.reset()
    return failures


def test_methods_of_which_some_read_the_silhouettes_of_others(tmp_path, monkeypatch, capsys):
    use_methods(tmp_path, monkeypatch)
    monkeypatch.setattr(work, "run_jobs", here)
    monkeypatch.chdir(tmp_path)
    rows = ["baseline", "gaitbase_dinogrl", "dinogrl"]
    arguments = ["--methods", *rows, "--seeds", "1", "--devices", "cpu", "--out", "out"]
    assert benchmark([*arguments, "--dry-run"]) == 0
    assert not Path("out").exists()
    assert "to do  silhouettes of dinogrl, seed 0" in capsys.readouterr().err
    assert benchmark(arguments) == 0
    printed, progress = capsys.readouterr()
    page = Path("out/synthetic/benchmark.md").read_text()
    assert "4 runs, 0 done" in progress and printed.endswith(page) and "GaitBase, DinoGRL" in page
    assert "<strong>" in Path("out/synthetic/benchmark.html").read_text()
    content = json.loads(Path("out/synthetic/benchmark.json").read_text())
    assert [row["method"] for row in content["rows"]] == rows and len(content["differences"]) == 3
    for row in content["rows"]:
        check_metrics(row)
        assert all(value > 0 for value in row["cost"].values()), row["cost"]
    overlaps = [row["silhouette_iou"] for row in content["rows"]]
    assert overlaps[:2] == [{}, {}] and set(overlaps[2]["0"]) == {"visible", "infrared"}

    assert benchmark(arguments) == 0
    assert "4 runs, 4 done" in capsys.readouterr().err
    # The true silhouettes and their reader join; nothing else is done again.
    assert benchmark([*arguments, "--methods", *rows, "gaitbase_true"]) == 0
    assert "6 runs, 4 done" in capsys.readouterr().err
    assert Path("out/synthetic/true-silhouettes/seed-0/silhouettes.json").is_file()
    assert benchmark([*arguments, "--set", "optimizer_cfg.weight_decay=0.3"]) == 2
    assert "holds a run with other settings (optimizer_cfg.weight_decay" in capsys.readouterr().err


def check_metrics(row: dict[str, Any]) -> None:
    """Compare the mean over one seed with the metrics that the test itself wrote."""
    (file,) = Path(f"out/synthetic/{row['method']}/seed-0").glob("*/*/*/logs/test-00002.json")
    results = json.loads(file.read_text())["results"]
    if row["missing_tracklets"]:
        return
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        for key, numbers in row["metrics"][direction].items():
            assert numbers["mean"] == pytest.approx(results[direction][key]), (row["method"], direction, key)
