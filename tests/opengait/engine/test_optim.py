"""Optimisers by name, with groups of parameters, and schedules in epochs."""

import math

import pytest
import torch

from opengait.config import load_config
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.errors import ConfigError


def named():
    return [(name, torch.nn.Parameter(torch.zeros(1))) for name in ("head.weight", "body.weight", "body.bias")]


def test_groups_have_their_own_settings_and_the_rest_comes_first():
    parameters = named()
    cfg = {"solver": "AdamW", "lr": 0.1, "weight_decay": 0.5, "groups": [{"match": "head", "lr": 0.7}]}
    rest, head = build_optimizer(parameters, cfg).param_groups
    assert [p is q[1] for p, q in zip(rest["params"], parameters[1:], strict=True)] == [True, True]
    assert (rest["lr"], head["lr"], head["weight_decay"]) == (0.1, 0.7, 0.5)
    assert head["params"][0] is parameters[0][1]


def test_the_first_match_applies_and_frozen_parameters_are_skipped():
    parameters = named()
    parameters[2][1].requires_grad_(False)
    groups = [{"match": "body.w", "lr": 1.0}, {"match": "weight", "lr": 2.0}]
    param_groups = build_optimizer(parameters, {"solver": "SGD", "lr": 0.1, "groups": groups}).param_groups
    assert [(group["lr"], len(group["params"])) for group in param_groups] == [(1.0, 1), (2.0, 1)]


def test_an_empty_match_takes_what_is_left_and_optional_groups_may_be_empty():
    groups = [{"match": "tail", "lr": 3.0, "optional": True}, {"match": "head"}, {"match": "", "lr": 0.01}]
    param_groups = build_optimizer(named(), {"solver": "SGD", "lr": 0.1, "groups": groups}).param_groups
    assert [(group["lr"], len(group["params"])) for group in param_groups] == [(0.1, 1), (0.01, 2)]
    assert not any("optional" in group for group in param_groups)


@pytest.mark.parametrize(
    ("groups", "message"),
    [([{"match": "tail"}], "name contains 'tail'"), ([{"lr": 1}], "groups.0: ")],
)
def test_errors_name_the_group(groups, message):
    with pytest.raises(ConfigError, match=message):
        build_optimizer(named(), {"solver": "SGD", "lr": 0.1, "groups": groups})


EPOCHS = {"scheduler": "ChainedScheduler", "steps_per_epoch": 3}
WARM_UP = {"scheduler": "LinearLR", "start_factor": 0.1, "total_iters": 4}
DECAY = {"scheduler": "MultiStepLR", "milestones": [5, 8], "gamma": 0.1}


def build(cfg: dict):
    optimiser = build_optimizer(named(), {"solver": "SGD", "lr": 1.0})
    return optimiser, build_scheduler(optimiser, cfg)


def rates(optimiser, schedule, iterations: int) -> list[float]:
    learning_rates = []
    for _ in range(iterations):
        learning_rates.append(optimiser.param_groups[0]["lr"])
        assert schedule.get_last_lr() == [learning_rates[-1]]
        optimiser.step()
        schedule.step()
    return learning_rates


def test_a_schedule_in_epochs_steps_once_per_epoch():
    per_iteration = rates(*build(EPOCHS | {"schedulers": [WARM_UP, DECAY]}), 30)
    assert per_iteration == [rate for rate in per_iteration[::3] for _ in range(3)]
    assert per_iteration[::3] == rates(*build({"scheduler": "ChainedScheduler", "schedulers": [WARM_UP, DECAY]}), 10)
    assert per_iteration[::3] == pytest.approx([0.1, 0.325, 0.55, 0.775, 1, 0.1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("stop", [1, 3, 8, 16])
def test_a_schedule_in_epochs_resumes_within_an_epoch(stop, tmp_path):
    cfg = EPOCHS | {"schedulers": [WARM_UP, DECAY]}
    whole = rates(*build(cfg), 30)
    optimiser, schedule = build(cfg)
    first = rates(optimiser, schedule, stop)
    torch.save({"optimizer": optimiser.state_dict(), "scheduler": schedule.state_dict()}, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    optimiser, schedule = build(cfg)
    optimiser.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["scheduler"])
    assert first + rates(optimiser, schedule, 30 - stop) == whole


@pytest.mark.parametrize("steps", [0, -3, 1.5, True, "3", None])
def test_an_epoch_is_a_positive_number_of_iterations(steps):
    with pytest.raises(ConfigError, match="scheduler_cfg.steps_per_epoch"):
        build({"scheduler": "MultiStepLR", "milestones": [3], "steps_per_epoch": steps})


def test_only_the_whole_schedule_counts_epochs(tmp_path):
    file = tmp_path / "some.yaml"
    text = "scheduler_cfg:\n  scheduler: ChainedScheduler\n  steps_per_epoch: 3\n  schedulers:\n"
    part = "    - {scheduler: MultiStepLR, milestones: [3]"
    file.write_text(f"{text}{part}}}\n")
    assert load_config(file)["scheduler_cfg"]["steps_per_epoch"] == 3
    file.write_text(f"{text}{part}, steps_per_epoch: 3}}\n")
    with pytest.raises(ConfigError, match=r"some.yaml, line 5: .*\.0\.steps_per_epoch"):
        load_config(file)


def test_a_one_cycle_schedule_steps_every_iteration():
    """Its own `steps_per_epoch` only sets the length of the cycle, as in OpenGait."""
    cycle = {"scheduler": "OneCycleLR", "max_lr": 1.0, "epochs": 2, "steps_per_epoch": 5}
    learning_rates = rates(*build(cycle), 9)
    assert len(set(learning_rates)) == 9 and max(learning_rates) == pytest.approx(1.0)


def test_optimisers_on_the_cpu_are_not_fused():
    optimizer = build_optimizer([("w", torch.nn.Parameter(torch.zeros(1)))], {"solver": "SGD", "lr": 0.1})
    assert not optimizer.defaults["fused"]


COSINE = {"scheduler": "WarmupCosineLR", "warmup": 3, "T_max": 8, "start": 0.01, "eta_min": 0.02}


def test_a_cosine_that_counts_from_the_start_behind_a_warm_up():
    groups = [{"match": "head", "lr": 25.0}]
    optimiser = build_optimizer(named(), {"solver": "SGD", "lr": 1.0, "groups": groups})
    schedule = build_scheduler(optimiser, COSINE)
    for step in range(12):
        for group, rate in zip(optimiser.param_groups, (1.0, 25.0), strict=True):
            falling = 0.02 + (rate - 0.02) * (1 + math.cos(math.pi * min(step, 8) / 8)) / 2
            expected = 0.01 + (rate - 0.01) * step / 3 if step < 3 else falling
            assert group["lr"] == pytest.approx(expected, abs=1e-12)
        optimiser.step()
        schedule.step()


def test_a_resumed_cosine_continues():
    whole = rates(*build(COSINE | {"steps_per_epoch": 2}), 20)
    optimiser, schedule = build(COSINE | {"steps_per_epoch": 2})
    first = rates(optimiser, schedule, 5)
    state = optimiser.state_dict(), schedule.state_dict()
    optimiser, schedule = build(COSINE | {"steps_per_epoch": 2})
    optimiser.load_state_dict(state[0])
    schedule.load_state_dict(state[1])
    assert first + rates(optimiser, schedule, 15) == whole


@pytest.mark.parametrize("wrong", [{"warmup": 8}, {"warmup": -1}, {"start": -0.1}, {"eta_min": -0.1}])
def test_a_cosine_that_cannot_be(wrong):
    with pytest.raises(ConfigError, match="WarmupCosineLR rejects"):
        build(COSINE | wrong)
