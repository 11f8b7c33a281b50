"""What a checkpoint restores, by number or by path, and the messages where it does not fit."""

import re

import pytest
import torch

from opengait import registry
from opengait.config import load_config
from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.run_state import RunState
from opengait.engine.train import run_train
from opengait.errors import CheckpointError, ConfigError, OutputError
from tests.opengait import tiny

ADAM = {"solver": "Adam", "lr": 0.02, "weight_decay": 5e-4}


@pytest.fixture(scope="module")
def folder(folder):
    """Return a folder with data and with a run of three iterations."""
    run_train(build(folder, "trainer_cfg.total_iter=3"))
    return folder


def build(folder, *overrides, training=True, **changes):
    cfgs = load_config(tiny.write_config(folder, **changes), ["evaluator_cfg.restore_hint=0", *overrides])
    torch.manual_seed(0)
    return registry.models.get("TinySil")(cfgs, training)


def checkpoint(folder, iteration=3):
    return folder / "output" / "CASIA-B" / "TinySil" / "tiny" / "checkpoints" / f"tiny-{iteration:05d}.pt"


@pytest.fixture
def edited(folder, tmp_path):
    """Return a function that writes a changed copy of the run's checkpoint and returns the overrides that resume it."""

    def edit(change, by="iteration"):
        content = load_checkpoint(checkpoint(folder))
        content = change(content) or content
        file = checkpoint(tmp_path)
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, file)
        if by == "path":
            return [f"trainer_cfg.restore_hint={file}"]
        return [f"trainer_cfg.output_root={tmp_path / 'output'}", "trainer_cfg.restore_hint=3"]

    return edit


def steps(model):
    return [int(model.scheduler.last_epoch), len(model.optimizer.state)]


def test_a_path_brings_the_weights_only(folder):
    model = build(folder, f"trainer_cfg.restore_hint={checkpoint(folder)}", "optimizer_cfg.lr=0.5")
    assert model.run_state == RunState(restored_from=checkpoint(folder), restored_iteration=3)
    assert model.optimizer.param_groups[0]["lr"] == 0.5 and steps(model) == [0, 0]
    assert torch.equal(model.conv.weight, load_checkpoint(checkpoint(folder))["model"]["conv.weight"])


def test_a_path_brings_optimiser_and_schedule_if_asked(folder, caplog):
    resets = ["trainer_cfg.optimizer_reset=false", "trainer_cfg.scheduler_reset=false"]
    model = build(folder, f"trainer_cfg.restore_hint={checkpoint(folder)}", *resets, "optimizer_cfg.lr=0.5")
    assert steps(model)[0] == 3 and steps(model)[1] > 0 and model.iteration == 0
    assert model.optimizer.param_groups[0]["lr"] == 0.02
    assert caplog.text.count("optimizer_cfg.lr is 0.5, but tiny-00003.pt was trained with 0.02; the checkpoint's") == 1


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("optimizer_cfg.lr=0.5", r"optimizer_cfg\.lr is 0\.5.* 0\.02; the checkpoint's applies"),
        ("optimizer_cfg.momentum=0.1", r"momentum is 0\.1.* 0\.9; the checkpoint's"),
        ("scheduler_cfg.milestones=[2]", r"milestones is \[2\].* \[4\]; the checkpoint's .*scheduler_reset"),
        ("trainer_cfg.sampler.batch_size=[4, 2]", r"batch_size is \[4, 2\].* \[2, 2\]; the configured"),
        ("trainer_cfg.seed=7", r"seed is 7.* 0; the configured"),
    ],
)
def test_an_iteration_continues_and_names_each_differing_setting(folder, caplog, override, line):
    model = build(folder, "trainer_cfg.restore_hint=3", override)
    assert steps(model)[0] == model.iteration == 3
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and re.search(line, warnings[0])


def test_equal_settings_give_no_warning(folder, caplog):
    build(folder, "trainer_cfg.restore_hint=3")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_checkpoint_without_settings_is_compared_by_its_states(edited, folder, caplog):
    """OpenGait's checkpoints have four entries."""

    def of_opengait(content):
        return {key: content[key] for key in ("model", "optimizer", "scheduler", "iteration")}

    changed = ["optimizer_cfg.lr=0.5", "scheduler_cfg.gamma=0.5"]
    model = build(folder, *edited(of_opengait), *changed)
    assert model.iteration == model.run_state.batches_drawn == 3
    assert "optimizer_cfg.lr is 0.5" in caplog.text and "scheduler_cfg.gamma is 0.5" in caplog.text
    assert caplog.text.count("was trained with") == 2


def test_another_number_of_processes_is_named(edited, folder, caplog):
    build(folder, *edited(lambda content: content.update(rank_states=content["rank_states"] * 2)))
    assert "a run on 2 processes, and this one has 1" in caplog.text


GROUPS = {**tiny.config(tiny.MODELS)["optimizer_cfg"], "groups": [{"match": "conv", "lr": 0.1}]}


@pytest.mark.parametrize("settings", [True, False], ids=["ours", "OpenGait's"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer_cfg": ADAM}, "optimizer in .*tiny-00003.pt.*Adam.*optimizer_reset"),
        ({"optimizer_cfg": GROUPS}, "optimizer in .* 1 parameter groups, expected 2"),
        ({"scheduler_cfg": {"scheduler": "ExponentialLR"}}, "scheduler in .*ExponentialLR.*scheduler_reset"),
        ({"scheduler_cfg": {"scheduler": "StepLR", "step_size": 2}}, "scheduler in .*StepLR"),
        ({"scheduler_cfg": {"steps_per_epoch": 2}}, "scheduler in .*EpochSchedule"),
    ],
)
def test_another_solver_or_schedule_is_an_error(edited, folder, changes, message, settings):
    resume = edited(lambda content: None if settings else content.pop("trained_with") and None)
    with pytest.raises(ConfigError, match=message):
        build(folder, *resume, **changes)
    part = next(iter(changes)).removesuffix("_cfg")
    assert build(folder, *resume, f"trainer_cfg.{part}_reset=true", **changes).iteration == 3


def with_momentum(value):
    def change(content):
        next(iter(content["optimizer"]["state"].values()))["momentum_buffer"] = value

    return change


def group_with(**settings):
    return lambda content: content["optimizer"]["param_groups"][0].update(settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (group_with(params=[0]), "group 0 of SGD has 1 parameters"),
        (group_with(lr="fast"), "lr of .* is 'fast'"),
        (group_with(lr=float("nan")), "lr of .* is nan"),
        (group_with(lr=-1.0), "learning rate is -1"),
        (with_momentum(torch.zeros(3)), "momentum_buffer of parameter 0 has shape .3,"),
        (with_momentum(torch.zeros(1).expand(10**6, 10**6)), "momentum_buffer of parameter 0 has shape"),
        (with_momentum(torch.full((6, 3, 3, 3), torch.nan)), "momentum_buffer"),
        (lambda content: content["scheduler"].update(last_epoch="x"), "last_epoch of MultiStepLR is 'x'"),
        (lambda content: content["scheduler"].update(milestones=[4]), "milestones of MultiStepLR"),
    ],
)
def test_wrong_states_are_named(edited, folder, change, message):
    with pytest.raises(ConfigError, match=message):
        build(folder, *edited(change))
    # Who wants the weights alone does not need the rest.
    assert build(folder, *edited(change, by="path")).iteration == 0


@pytest.mark.parametrize("part", ["optimizer", "scheduler"])
def test_a_missing_state_is_told(edited, folder, caplog, part):
    build(folder, *edited(lambda content: content.update({part: None})))
    assert f"Restore NO {part.capitalize()} from" in caplog.text


@pytest.mark.parametrize("scale", [None, "big", 0, -1.0, float("nan"), float("inf")])
def test_a_wrong_gradient_scale(edited, folder, scale):
    half = ["trainer_cfg.enable_float16=true"]
    with pytest.raises(CheckpointError, match="gradient scaler in .*tiny-00003.pt"):
        build(folder, *edited(lambda content: content.update(scaler={"scale": scale})), *half)


def test_a_file_without_weights(edited, folder):
    with pytest.raises(CheckpointError, match="no weights: .* 'iteration'"):
        build(folder, *edited(lambda content: {"iteration": 3}))


def test_a_renamed_checkpoint_is_told(edited, folder, caplog):
    build(folder, *edited(lambda content: content.update(iteration=2)))
    assert "holds iteration 2, but is used as that of 3" in caplog.text


def test_a_full_disk_names_the_last_checkpoint(folder, monkeypatch):
    model = build(folder, "trainer_cfg.restore_hint=3")

    def full(content, path):
        raise OutputError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr("opengait.engine.restore.save_checkpoint", full)
    with pytest.raises(OutputError, match=r"tiny-00005\.pt.*--iter 3"):
        model.save_ckpt(5)
