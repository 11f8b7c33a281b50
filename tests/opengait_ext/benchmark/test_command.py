"""`vvi benchmark` on the command line, with fabricated runs in place of the engine's."""

import json
from pathlib import Path

import pytest

from opengait_ext.experiments import work
from opengait_ext.experiments.jobs import Run
from tests.opengait_ext.benchmark.fabricated import fabricate
from tests.opengait_ext.benchmark.stand_in_methods import use_methods
from tests.opengait_ext.runs.stand_in_runs import command

benchmark = command("benchmark")


@pytest.fixture(autouse=True)
def stand_in(tmp_path, monkeypatch):
    """Fabricate the results of all runs; mAP is the learning rate, and GaitBase on true silhouettes fails."""

    def run_jobs(jobs, devices, report):
        for job in jobs:
            job.write_config()
            if isinstance(job, Run) and not job.tested and job.row != "gaitbase_true":
                fabricate(job)
                content = json.loads(job.result_file.read_text())
                for direction in content["results"].values():
                    direction["map"] = job.config["optimizer_cfg"]["lr"]
                job.result_file.write_text(json.dumps(content))
        return {job: "no silhouettes." for job in jobs if job.row == "gaitbase_true"}

    use_methods(tmp_path, monkeypatch)
    monkeypatch.setattr(work, "run_jobs", run_jobs)
    monkeypatch.setattr(work, "draw_data", lambda *_: None)
    monkeypatch.chdir(tmp_path)


def test_a_quick_benchmark_is_a_part_of_the_whole(capsys):
    assert benchmark(["--quick", "--out", "out"]) == 0
    content = json.loads(Path("out/synthetic/benchmark.json").read_text())
    assert [row["method"] for row in content["rows"]] == ["baseline", "dinogrl"] and content["seeds"] == [0]
    printed, _ = capsys.readouterr()
    assert printed == Path("out/synthetic/benchmark.md").read_text()
    assert benchmark(["--out", "out", "--dry-run"]) == 0
    progress = capsys.readouterr().err
    assert "18 runs, 0 done" in progress and "to do  true silhouettes, seed 2" in progress


def test_a_failed_row_leaves_a_table_and_a_status(capsys):
    assert benchmark(["--out", "out", "--methods", "baseline", "gaitbase_true", "--seeds", "2"]) == 1
    printed, _ = capsys.readouterr()
    assert "- GaitBase, truth, seed 1, failed: no silhouettes." in printed
    assert "| GaitBase, truth | - |" in printed and "| B | **100.0" in printed


def test_a_tuning_is_written_printed_and_told_by_the_page(capsys):
    assert benchmark(["--out", "out", "--methods", "dinogrl", "--tune"]) == 0
    printed, progress = capsys.readouterr()
    assert printed.count("| dinogrl |") == 3 and "| dinogrl | 0.3 | 50.0 | 30.0 | best mAP |" in printed
    assert "3 runs, 0 done" in progress and "Written: out/synthetic/tuning.json" in progress
    assert benchmark(["--out", "out", "--methods", "dinogrl", "--seeds", "1"]) == 0
    assert "DinoGRL is trained at 0.1, but 0.3 had the best mAP of those tried." in capsys.readouterr().out
    assert benchmark(["--out", "better", "--methods", "dinogrl", "--tune", "--set", "optimizer_cfg.lr=0.3"]) == 0
    settings = ["--seeds", "1", "--set", "optimizer_cfg.lr=0.9"]
    assert benchmark(["--out", "better", "--methods", "dinogrl", *settings]) == 0
    assert "on whom no result is measured: DinoGRL 0.9 of 0.1, 0.3, 0.9." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "dinogirl"], "baseline, gaitbase_true"),
        (["--first-seed", "9999"], "Seed 10000"),
        (["--devices", "gpu"], "'gpu'"),
        (["--set", "trainer_cfg.total_itre=3"], "total_itre"),
        (["--data", "hitsz", "--methods", "dinogrl"], "no configuration for hitsz"),
    ],
)
def test_errors_are_one_sentence(arguments, message, capsys):
    assert benchmark(["--out", "out", *arguments]) == 2
    printed, errors = capsys.readouterr()
    last = errors.splitlines()[-1]
    assert last.startswith("error: ") and message in last and not printed and not Path("out").exists()
