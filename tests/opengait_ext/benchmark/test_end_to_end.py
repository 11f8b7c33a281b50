"""`vvi benchmark` with the real engine, on a few people and for two iterations."""

import json
from pathlib import Path

import pytest

from opengait.data.dataset import DataSet
from opengait_ext.benchmark import plan_benchmark, read_methods
from opengait_ext.commands import main
from opengait_ext.experiments.drawing import draw_data
from tests.opengait_ext.benchmark.stand_in_methods import PEOPLE, use_methods
from tests.opengait_ext.runs.stand_in_runs import command

pytestmark = pytest.mark.slow

benchmark = command("benchmark")


def test_three_methods_one_of_which_reads_the_silhouettes_of_another(tmp_path, monkeypatch, capsys):
    use_methods(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    rows = ["baseline", "gaitbase_dinogrl", "dinogrl"]
    arguments = ["--methods", *rows, "--seeds", "1", "--devices", "cpu", "cpu", "--out", "out"]
    assert benchmark([*arguments, "--dry-run"]) == 0
    assert not Path("out").exists()
    assert "to do  silhouettes of dinogrl, seed 0" in capsys.readouterr().err
    logs = "".join(file.read_text()[-1500:] for file in Path("out").glob("synthetic/**/log.txt"))
    assert benchmark(arguments) == 0, logs
    printed, progress = capsys.readouterr()
    assert "4 runs, 0 done" in progress and "[4/4]" in progress
    page = Path("out/synthetic/benchmark.md").read_text()
    assert (
        printed == page
        and "GaitBase, DinoGRL" in page
        and "<strong>" in Path("out/synthetic/benchmark.html").read_text()
    )
    content = json.loads(Path("out/synthetic/benchmark.json").read_text())
    assert [row["method"] for row in content["rows"]] == rows
    for row in content["rows"]:
        (file,) = Path(f"out/synthetic/{row['method']}/seed-0").glob("*/*/*/logs/test-00002.json")
        results = json.loads(file.read_text())["results"]
        if not row["missing_tracklets"]:
            for direction in ("infrared_to_visible", "visible_to_infrared"):
                for key, numbers in row["metrics"][direction].items():
                    assert numbers["mean"] == pytest.approx(results[direction][key]), (row["method"], direction, key)
        assert all(value > 0 for value in row["cost"].values()), row["cost"]
    overlaps = [row["silhouette_iou"] for row in content["rows"]]
    assert overlaps[:2] == [{}, {}] and set(overlaps[2]["0"]) == {"visible", "infrared"}
    assert len(content["differences"]) == 3

    assert benchmark(arguments) == 0
    assert "4 runs, 4 done" in capsys.readouterr().err
    assert benchmark([*arguments, "--set", "optimizer_cfg.weight_decay=0.3"]) == 2
    assert "holds a run with other settings (optimizer_cfg.weight_decay" in capsys.readouterr().err


def test_true_silhouettes_are_written_as_gait_models_read_them(tmp_path, monkeypatch, capsys):
    use_methods(tmp_path, monkeypatch)
    methods = read_methods()
    rows = methods.choose(["gaitbase_true"], "synthetic")
    plan = plan_benchmark(methods, rows, "synthetic", [1], tmp_path / "out", [])
    draw_data(plan.jobs, plan.data_root, PEOPLE)
    job = plan.silhouettes["true", 1]
    job.write_config()
    for step in job.steps():
        assert main(step.arguments) == 0
    assert job.done and capsys.readouterr().out.count("0 whole tracklets have empty masks") == 2
    dataset = DataSet(dict(plan.runs["gaitbase_true", 1].config["data_cfg"]), False)
    assert len(dataset) == 4 * 2 * 2 and set(dataset.types_list) == {"visible", "infrared"}
