"""The page against numbers computed by hand, from result files that no run has written."""

import json
from dataclasses import replace

import numpy as np
import pytest

from opengait.errors import DataError
from opengait_ext.benchmark import plan as plan_module
from opengait_ext.benchmark.methods import read_methods
from opengait_ext.benchmark.page import as_html, as_json, as_markdown
from opengait_ext.benchmark.plan import Plan, plan_benchmark
from opengait_ext.benchmark.results import Benchmark, measure
from opengait_ext.benchmark.tuning import outcome, plan_tuning, tuning_table
from tests.opengait_ext.benchmark.fabricated import PEOPLE, fabricate
from tests.opengait_ext.benchmark.stand_in_methods import write_methods


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Plan:
    methods = read_methods(write_methods(tmp_path))
    small = replace(plan_module.DATA["synthetic"], frames=str(tmp_path / "baseline.yaml"))
    monkeypatch.setitem(plan_module.DATA, "synthetic", small)
    return plan_benchmark(methods, methods.choose([], "synthetic"), "synthetic", [0, 1], tmp_path / "out", [])


def measured(plan: Plan, names: list[str], seeds=(0, 1), failures=(), tuning=None) -> Benchmark:
    return measure(plan, plan.methods.choose(names, plan.data), seeds, dict(failures), tuning)


def test_the_numbers_of_a_row(plan):
    """In one of two seeds, the infrared tracklets of one of three people are where the next person is."""
    fabricate(plan.runs["dinogrl", 0])
    fabricate(plan.runs["dinogrl", 1], wrong=["A"])
    content = as_json(measured(plan, ["dinogrl"]))
    (row,) = content["rows"]
    # A's infrared queries are nearest to B's two tracklets, and A's own tracklet comes third.
    assert row["by_seed"][0] == [[1, 1, 1, 1, 1]] * 2
    assert row["by_seed"][1][0] == pytest.approx([2 / 3, 1, 1, (1 / 3 + 2) / 3, (1 / 3 + 2) / 3])
    # A's visible queries: B's and A's infrared tracklets are equally far, 10, and A's own come first in the gallery.
    # B's visible queries: two of A's tracklets are as near as B's own, and come first.
    assert row["by_seed"][1][1] == pytest.approx([2 / 3, 1, 1, (1 / 3 + 2) / 3, (1 / 3 + 2) / 3])
    rank1 = row["metrics"]["both"]["rank1"]
    assert rank1["mean"] == pytest.approx(5 / 6)
    assert rank1["standard_deviation"] == pytest.approx(np.std([1, 2 / 3], ddof=1))
    assert 0 <= rank1["low"] <= 5 / 6 <= rank1["high"] == 1
    assert row["cost"]["training_seconds"] == 30.5 and row["cost"]["tracklets_per_second"] == 6


def test_the_page(plan):
    for seed in (0, 1):
        fabricate(plan.runs["baseline", seed], wrong=PEOPLE)
        fabricate(plan.runs["dinogrl", seed])
        fabricate(plan.runs["gaitbase_true", seed])
    benchmark = measured(plan, ["baseline", "gaitbase_true", "dinogrl"])
    text = as_markdown(benchmark)
    lines = text.splitlines()
    zero, one = "0.0 ± 0.0", "100.0 ± 0.0"
    assert f"| DinoGRL | {' | '.join([f'**{one}**'] * 6)} |" in lines
    # Infrared A, B, C are at B, C, A: the match of every query comes third or later.
    assert next(line for line in lines if line.startswith("| B |")).startswith(f"| B | {zero} |")
    assert f"| GaitBase, truth | {' | '.join([one] * 6)} |" in lines, "true silhouettes do not compete"
    assert "| 1 B |  | **-100.0 [-100.0, -100.0]** | **-100.0 [-100.0, -100.0]** |" in lines
    assert "| 3 DinoGRL | **+100.0 [+100.0, +100.0]** | +0.0 [+0.0, +0.0] |  |" in lines
    assert "of 3 pairs of equal methods, about 0.2 would be bold" in text
    assert "seeds 0, 1, each with people, cameras and walks of its own; protocol hitsz-vcm, camera rule on" in text
    assert "All rows have equal tracklets of a batch: 6." in text
    assert "All rows have equal tracklets seen in training: 12." in text
    assert "All rows have equal frames of a tracklet in training: 2 (fixed_segment_random)." in text
    assert "True silhouettes, which no camera delivers, are given to: GaitBase, truth." in text
    assert "no record of vvi benchmark --tune" in text
    page = as_html(benchmark)
    assert "<strong>+100.0 [+100.0, +100.0]</strong>" in page and "**" not in page
    content = json.loads(json.dumps(as_json(benchmark)))
    assert [(entry["first"], entry["second"]) for entry in content["differences"]] == [
        ("baseline", "gaitbase_true"),
        ("baseline", "dinogrl"),
        ("gaitbase_true", "dinogrl"),
    ]
    assert content["differences"][1]["metrics"]["infrared_to_visible"]["rank1"]["mean"] == -1


def test_rows_that_cannot_be_told_apart_are_marked(plan):
    for seed in (0, 1):
        fabricate(plan.runs["dinogrl", seed], wrong=["A"] * seed)
        fabricate(plan.runs["baseline", seed], wrong=["C"])
    text = as_markdown(measured(plan, ["baseline", "dinogrl"]))
    row = next(line for line in text.splitlines() if line.startswith("| B |"))
    assert "66.7 ± 0.0 ≈" in row
    assert "Rank-1, mean of both directions" in text and "**+" not in text


def test_one_seed_says_what_it_does_not_cover(plan):
    fabricate(plan.runs["dinogrl", 0], wrong=["A"])
    text = as_markdown(measured(plan, ["dinogrl"], seeds=(0,)))
    assert "not the variation between trainings" in text and "±" not in text
    assert "Differences" not in text, "a single row has nothing to differ from"


def test_unfinished_and_failed_runs(plan):
    fabricate(plan.runs["dinogrl", 0])
    failures = {plan.runs["dinogrl", 1]: "no memory.", plan.silhouettes["dinogrl", 0]: "no disk."}
    text = as_markdown(measured(plan, ["baseline", "dinogrl"], failures=failures.items()))
    assert "| B | - | - | - | - | - | - |" in text
    assert "DinoGRL has finished 1 of 2 seeds." in text
    assert "DinoGRL, seed 1, failed: no memory." in text and "DinoGRL, seed 0, failed: no disk." in text
    assert "| 1 B |  | - |" in text


def test_a_tracklet_without_silhouettes_counts_as_missed(plan):
    """The query is missing, and two queries lose their match; only these are counted as missed."""
    fabricate(plan.runs["dinogrl", 0])
    fabricate(plan.runs["gaitbase_dinogrl", 0], without=["A"])
    benchmark = measured(plan, ["gaitbase_dinogrl", "dinogrl"], seeds=(0,))
    gaitbase = as_json(benchmark)["rows"][0]
    assert gaitbase["missing_tracklets"] == {0: 1}
    assert gaitbase["by_seed"][0][0] == pytest.approx([5 / 6] * 5), "one of six infrared queries is missing"
    assert gaitbase["by_seed"][0][1] == pytest.approx([5 / 6] * 5), "A's visible query of camera 2 has no match left"
    assert "GaitBase, DinoGRL, seed 0: 1 tracklets of the test without a silhouette." in as_markdown(benchmark)


def test_silhouettes_and_costs(plan):
    for seed in (0, 1):
        fabricate(plan.runs["dinogrl", seed])
        file = plan.silhouettes["dinogrl", seed].overlap_file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"visible": 0.8, "infrared": 0.7 + 0.1 * seed, "silhouette_iou": 0.7, "frames": 9}))
    cost = {"parameters": 1_234_000, "trainable": 1_000_000, "gflops": 1.5}
    plan.runs["dinogrl", 0].cost_file.write_text(json.dumps(cost))
    text = as_markdown(measured(plan, ["dinogrl"]))
    assert "| DinoGRL | 80.0 ± 0.0 | 75.0 ± 7.1 | 1.23 | 1.00 | 1.5 | 30 | 6 |" in text


def test_different_rules_are_not_compared(plan):
    fabricate(plan.runs["dinogrl", 0])
    fabricate(plan.runs["baseline", 0])
    file = plan.runs["baseline", 0].result_file
    content = json.loads(file.read_text())
    content["card"]["camera_rule"] = False
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="camera rule off.*camera rule on"):
        measured(plan, ["baseline", "dinogrl"], seeds=(0,))


def test_rows_that_differ_in_frames_are_named(plan, tmp_path):
    other = plan_benchmark(
        plan.methods,
        plan.methods.choose(["baseline"], "synthetic"),
        "synthetic",
        [0],
        tmp_path / "out",
        ["trainer_cfg.sampler.frames_num_fixed=3", "trainer_cfg.sampler.batch_size=[2,1]"],
    )
    plan.runs["baseline", 0] = other.runs["baseline", 0]
    text = as_markdown(measured(plan, ["baseline", "dinogrl"], seeds=(0,)))
    assert "Rows differ in tracklets of a batch: 4 for B; 6 for DinoGRL." in text
    assert "Rows differ in frames of a tracklet in training: 3 (fixed_segment_random) for B; 2 (fixed_s" in text


def test_the_outcome_of_a_tuning_and_what_the_page_says_of_it(plan, tmp_path):
    rows = plan.methods.choose(["baseline", "dinogrl"], "synthetic")
    _, trials = plan_tuning(plan.methods, rows, "synthetic", tmp_path / "out", [])
    for name, wrong in (("baseline", (["A"], [], ["A"])), ("dinogrl", (["A"], ["A"], []))):
        for run, people in zip(trials[name].values(), wrong, strict=True):
            fabricate(run, people)
            content = json.loads(run.result_file.read_text())
            for direction in content["results"].values():
                direction["map"] = 1 - len(people) / 3
            run.result_file.write_text(json.dumps(content))
    result = json.loads(json.dumps(outcome(plan.methods, "synthetic", trials)))
    low, middle, high = trials["dinogrl"]
    assert (
        result["rows"]["dinogrl"]["best"] == high and result["rows"]["baseline"]["best"] == list(trials["baseline"])[1]
    )
    assert f"| dinogrl | {high:g} | 50.0 | 100.0 | best mAP |" in tuning_table(result)
    fabricate(plan.runs["dinogrl", 0])
    text = as_markdown(measured(plan, ["baseline", "gaitbase_true", "dinogrl"], seeds=(0,), tuning=result))
    assert f"DinoGRL is trained at {middle:g}, but {high:g} had the best mAP of those tried." in text
    assert "on whom no result is measured: B " in text and "GaitBase, truth was not tuned" in text
