"""Plans: which jobs there are, what each reads of others, and what is already done."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from opengait.config import load_config
from opengait.errors import ConfigError
from opengait_ext.benchmark import plan as plan_module
from opengait_ext.benchmark.methods import Methods, read_methods
from opengait_ext.benchmark.plan import CONFIGS, DATA, plan_benchmark
from opengait_ext.benchmark.tuning import SEED, plan_tuning, rate_of
from tests.opengait_ext.benchmark.stand_in_methods import write_methods

METHODS = read_methods()


@pytest.fixture
def small(tmp_path, monkeypatch) -> Methods:
    file = write_methods(tmp_path)
    small = replace(DATA["synthetic"], frames=str(tmp_path / "baseline.yaml"))
    monkeypatch.setitem(plan_module.DATA, "synthetic", small)
    return read_methods(file)


def titles(jobs) -> list[str]:
    return [job.title for job in jobs]


def test_the_table_of_methods():
    for name, method in METHODS.by_name.items():
        assert method.name == name and method.configs
        for source in (method.reads_silhouettes_of, *(s for d in method.weights.values() for s in d.values())):
            assert source is None or METHODS.by_name[source].makes_silhouettes
    assert set(METHODS.quick) == {"baseline", "biggait", "dinogrl"}
    assert len(METHODS.rate_factors) == 3 and 1 in METHODS.rate_factors
    titles = [method.title for method in METHODS.by_name.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("data", ["hitsz", "bupt", "synthetic"])
def test_every_configuration_plans(data, tmp_path):
    if data == "synthetic" and not (CONFIGS / "benchmark").is_dir():
        pytest.skip("the small configurations are not there")
    rows = METHODS.choose([], data)
    plan = plan_benchmark(METHODS, rows, data, [0, 1], tmp_path, [])
    assert {(method.name, seed) for method in rows for seed in (0, 1)} == set(plan.runs)
    assert len({job.folder for job in plan.jobs}) == len(plan.jobs)
    for position, job in enumerate(plan.jobs):
        assert all(need in plan.jobs[:position] for need in job.needs), job.title
    assert [run.cost for run in plan.runs.values()] == [seed == 0 for _, seed in plan.runs]


def test_rows_on_other_data_read_what_others_write(tmp_path):
    rows = METHODS.choose(["gaitbase_dinogrl", "gaitset_biggait"], "hitsz")
    plan = plan_benchmark(METHODS, rows, "hitsz", [3], tmp_path, ["data_cfg.dataset_root=/data/VCM"])
    assert titles(plan.jobs) == [
        *("biggait, seed 3", "silhouettes of biggait, seed 3", "gaitset_biggait, seed 3"),
        *("dinogrl, seed 3", "silhouettes of dinogrl, seed 3", "gaitbase_dinogrl, seed 3"),
    ]
    dinogrl, export, gaitbase = plan.jobs[3:]
    assert dinogrl.config["data_cfg"]["dataset_root"] == "/data/VCM"
    assert gaitbase.config["data_cfg"]["dataset_root"] == str(export.folder / "silhouettes-64x64")
    assert gaitbase.config["data_cfg"]["dataset_partition"] == str(export.folder / "silhouettes.json")
    assert gaitbase.needs == (export,) and export.needs == (dinogrl,)
    commands = [step.arguments for step in export.steps()]
    assert [command[0] for command in commands] == ["export-silhouettes"] * 2
    assert all("--pkl" in command and str(dinogrl.checkpoint) in command for command in commands)
    assert not any("--truth" in command for command in commands), "there are no true silhouettes"


def test_silhouettes_of_the_generator_and_of_a_network(small, tmp_path):
    rows = small.choose([], "synthetic")
    plan = plan_benchmark(small, rows, "synthetic", [2], tmp_path / "out", [])
    assert titles(plan.jobs) == [
        *("baseline, seed 2", "true silhouettes, seed 2", "gaitbase_true, seed 2", "dinogrl, seed 2"),
        *("silhouettes of dinogrl, seed 2", "gaitbase_dinogrl, seed 2"),
    ]
    data = str(tmp_path / "out/data/seed-2")
    truth, export = plan.silhouettes["true", 2], plan.silhouettes["dinogrl", 2]
    assert truth.config["data_cfg"]["mask_root"] == f"{data}/silhouettes" and truth.needs == ()
    assert [step.arguments[0] for step in truth.steps()] == ["given-silhouettes"] * 2
    assert plan.runs["dinogrl", 2].config["data_cfg"]["dataset_root"] == data
    assert [step.arguments[-2:] for step in export.steps()][1] == ("--truth", f"{data}/silhouettes")
    gaitbase = plan.runs["gaitbase_true", 2].config["data_cfg"]
    assert gaitbase["dataset_root"] == str(truth.folder / "silhouettes-64x64")


def test_an_export_continues_with_the_split_that_it_lacks(small, tmp_path):
    rows = small.choose(["dinogrl", "gaitbase_dinogrl"], "synthetic")
    export = plan_benchmark(small, rows, "synthetic", [0], tmp_path, []).silhouettes["dinogrl", 0]
    export.folder.mkdir(parents=True)
    export.partition.write_text(json.dumps({"TRAIN_SET": ["0001"], "TEST_SET": []}))
    (step,) = export.steps()
    assert step.arguments[step.arguments.index("--split") + 1] == "test" and not export.done
    export.partition.write_text(json.dumps({"TRAIN_SET": ["0001"], "TEST_SET": ["0501"]}))
    assert not export.done, "the overlap with the true silhouettes is missing"
    export.overlap_file.write_text("{}")
    assert export.done


def test_without_a_reader_only_the_test_people_are_exported(small, tmp_path):
    rows = small.choose(["dinogrl"], "synthetic")
    export = plan_benchmark(small, rows, "synthetic", [0], tmp_path, []).silhouettes["dinogrl", 0]
    (step,) = export.steps()
    assert "--pkl" not in step.arguments and "--truth" in step.arguments


def test_weights_come_from_the_run_of_the_same_seed(tmp_path):
    file = write_methods(tmp_path, baseline={"weights": {"synthetic": {"pretrained_mask_branch": "dinogrl"}}})
    methods = read_methods(file)
    plan = plan_benchmark(methods, methods.choose(["baseline"], "synthetic"), "synthetic", [4], tmp_path, [])
    assert titles(plan.jobs) == ["dinogrl, seed 4", "baseline, seed 4"]
    checkpoint = plan.runs["dinogrl", 4].checkpoint
    assert checkpoint.name == "dinogrl-00002.pt" and plan.runs["baseline", 4].needs == (plan.jobs[0],)
    assert plan.runs["baseline", 4].config["model_cfg"]["pretrained_mask_branch"] == str(checkpoint)


@pytest.mark.parametrize(
    ("names", "data", "message"),
    [(["dinogirl"], "hitsz", "baseline, .*got 'dinogirl'"), (["gaitbase_true"], "hitsz", "no configuration for hitsz")],
)
def test_unknown_methods_are_named(names, data, message):
    with pytest.raises(ConfigError, match=message):
        METHODS.choose(names, data)


def test_each_configuration_is_tuned_once_at_the_same_budget(small, tmp_path):
    plan, trials = plan_tuning(small, small.choose([], "synthetic"), "synthetic", tmp_path / "out", [])
    assert list(trials) == ["baseline", "gaitbase_true", "dinogrl"], "rows that share a configuration share its tuning"
    assert {name: len(runs) for name, runs in trials.items()} == dict.fromkeys(trials, 3)
    assert {job.seed for job in plan.jobs} == {SEED} and plan.data_root.format(seed=SEED) == str(
        tmp_path / f"out/data/seed-{SEED}"
    )
    rate = rate_of(load_config(tmp_path / "dinogrl.yaml"))
    assert list(trials["dinogrl"]) == pytest.approx([rate / 3, rate, 3 * rate], rel=1e-2)
    for rate, run in trials["dinogrl"].items():
        assert run.folder.name == f"lr-{rate:g}" and rate_of(run.config) == rate
    (low, middle, high) = (run.config["optimizer_cfg"]["groups"] for run in trials["dinogrl"].values())
    assert low[-1]["lr"] < middle[-1]["lr"] < high[-1]["lr"], "all groups are scaled"


def test_a_changed_rate_finds_the_trials_of_before(small, tmp_path):
    rows = small.choose(["dinogrl"], "synthetic")
    _, before = plan_tuning(small, rows, "synthetic", tmp_path, ["optimizer_cfg.groups=[]"])
    best = list(before["dinogrl"])[2]
    settings = ["optimizer_cfg.groups=[]", f"optimizer_cfg.lr={best}"]
    _, after = plan_tuning(small, rows, "synthetic", tmp_path, settings)
    same = before["dinogrl"].keys() & after["dinogrl"].keys()
    assert len(same) == 2
    for rate in same:
        pair = [trials["dinogrl"][rate] for trials in (before, after)]
        assert pair[0].folder == pair[1].folder and pair[0].config == pair[1].config


def test_tuning_needs_people_of_its_own(tmp_path):
    with pytest.raises(ConfigError, match="HITSZ-VCM has none; use --data synthetic"):
        plan_tuning(METHODS, METHODS.choose(["dinogrl"], "hitsz"), "hitsz", Path(tmp_path), [])
