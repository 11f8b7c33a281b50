"""Default names of runs, and the conversion of epochs to iterations."""

import pytest

from opengait.config import load_config, save_config
from opengait.errors import ConfigError


def names(cfg: dict) -> list[str]:
    return [cfg[section]["save_name"] for section in ("trainer_cfg", "evaluator_cfg")]


def test_a_run_is_named_after_its_file(write, tmp_path):
    write("data_cfg: {num_workers: 0}", "base.yaml")
    cfg = load_config(write("base: base.yaml", "mine.t10.yaml"))
    assert names(cfg) == ["mine.t10", "mine.t10"]
    save_config(cfg, tmp_path / "run/config.yaml")
    assert names(load_config(tmp_path / "run/config.yaml")) == ["mine.t10", "mine.t10"]


def test_an_overlay_names_the_run(write):
    overlay = write("trainer_cfg: {seed: 1}", "row.yaml")
    assert names(load_config(write(""), overlays=[overlay])) == ["row", "row"]


def test_a_name_is_inherited_and_reset_by_null(write):
    write("trainer_cfg: {save_name: Base}", "base.yaml")
    assert names(load_config(write("base: base.yaml"))) == ["Base", "Base"]
    assert names(load_config(write("base: base.yaml\nevaluator_cfg: {save_name: other}"))) == ["Base", "other"]
    assert names(load_config(write("base: base.yaml\ntrainer_cfg: {save_name: null}", "b.yaml"))) == ["b", "b"]


EPOCHS = """
trainer_cfg: {steps_per_epoch: 7, total_iter: 20 epochs, save_iter: 1 epoch, log_iter: 5}
evaluator_cfg: {restore_hint: 20 epochs}
scheduler_cfg:
  scheduler: SequentialLR
  milestones: [10 epochs]
  schedulers:
    - {scheduler: LinearLR, start_factor: 0.1, total_iters: 10 epochs}
    - {scheduler: MultiStepLR, milestones: [11 epochs, 80, 15 epochs]}
"""


def test_epochs_become_iterations(write):
    cfg = load_config(write(EPOCHS))
    trainer, scheduler = cfg["trainer_cfg"], cfg["scheduler_cfg"]
    assert [trainer[key] for key in ("total_iter", "save_iter", "log_iter")] == [140, 7, 5]
    assert cfg["evaluator_cfg"]["restore_hint"] == 140
    assert scheduler["milestones"] == [70]
    assert scheduler["schedulers"][0]["total_iters"] == 70
    assert scheduler["schedulers"][1]["milestones"] == [77, 80, 105]


def test_the_length_of_an_epoch_can_be_inherited_or_overridden(write):
    write(EPOCHS, "base.yaml")
    file = write("base: base.yaml\ntrainer_cfg: {steps_per_epoch: 3}")
    assert load_config(file)["trainer_cfg"]["total_iter"] == 60
    cfg = load_config(file, ["trainer_cfg.steps_per_epoch=2", "trainer_cfg.save_iter=2 epochs"])
    assert [cfg["trainer_cfg"][key] for key in ("total_iter", "save_iter")] == [40, 4]


def test_only_counts_of_iterations_are_in_epochs(write):
    cfg = load_config(write("trainer_cfg: {save_name: 3 epochs, steps_per_epoch: 2}"))
    assert names(cfg) == ["3 epochs", "3 epochs"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainer_cfg:\n  total_iter: 3 epochs", r"line 2: trainer_cfg\.total_iter .*steps_per_epoch"),
        (
            "scheduler_cfg:\n  scheduler: MultiStepLR\n  milestones: [3, 9 epochs]",
            r"line 3: scheduler_cfg\.milestones\.1",
        ),
        ("trainer_cfg: {steps_per_epoch: 0}", r"line 1: trainer_cfg\.steps_per_epoch.* got 0"),
        ("trainer_cfg: {steps_per_epoch: true}", r"trainer_cfg\.steps_per_epoch.* got true"),
    ],
)
def test_epochs_of_unknown_length(write, text, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(text))


@pytest.mark.parametrize("key", ["total_iter", "save_iter", "log_iter"])
def test_a_count_that_is_text_is_an_error(write, key):
    with pytest.raises(ConfigError, match=rf"trainer_cfg.{key}: .* 'ten epochs'"):
        load_config(write(EPOCHS), [f"trainer_cfg.{key}=ten epochs"])
