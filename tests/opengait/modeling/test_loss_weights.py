"""Weights of losses that change during a training."""

import math
from types import SimpleNamespace

import pytest
import torch
import yaml

from opengait.config import load_config
from opengait.engine.run_state import RunState
from opengait.errors import ConfigError
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.modeling.loss_weights import WeightSchedule


def triplet(prefix: str, **settings) -> dict:
    return {"type": "TripletLoss", "log_prefix": prefix, "margin": 0.2, **settings}


def terms(*names: str) -> dict:
    embeddings = torch.randn(6, 4, 2, generator=torch.Generator().manual_seed(0))
    return {name: {"embeddings": embeddings, "labels": torch.tensor([0, 0, 1, 1, 2, 2])} for name in names}


def test_a_half_cosine_leads_from_the_first_weight_to_the_last():
    schedule = WeightSchedule(0.5, 0.25, 700, 7)
    for iteration in range(900):
        epoch = min(iteration // 7, 100)
        # AuxNet's curriculum, alpha(e) = (cos(pi e / E) + phi) / (2 + 2 phi) with phi = 3.
        assert schedule(iteration) == pytest.approx((math.cos(math.pi * epoch / 100) + 3) / 8, abs=1e-12)
    assert (schedule(0), schedule(699), schedule(700)) == (0.5, pytest.approx(0.25, abs=1e-4), 0.25)
    assert WeightSchedule(0.0, 1.0, 10)(5) == pytest.approx(0.5)
    assert WeightSchedule(2.0, 2.0, 1)(0) == 2.0


def test_the_weight_is_a_factor_of_the_loss_and_of_its_gradient():
    state = RunState()
    schedule = {"begin": 1.0, "end": 0.0, "iterations": 4}
    losses = LossAggregator(
        [triplet("a", loss_term_weight=3.0, weight_schedule=schedule), triplet("b", weight_schedule=None)], state
    )
    plain, _ = LossAggregator([triplet("a")])(terms("a"))
    for iteration, weight in ((0, 1.0), (2, 0.5), (4, 0.0), (9, 0.0)):
        state.iteration = iteration
        loss, info = losses(terms("a", "b"))
        torch.testing.assert_close(loss, plain * (3 * weight + 1))
        assert info["scalar/a/weight"] == pytest.approx(weight) and "scalar/b/weight" not in info
        # What is logged of the loss itself is not weighted.
        torch.testing.assert_close(info["scalar/a/loss"], info["scalar/b/loss"])


@pytest.mark.parametrize(
    "schedule",
    [
        {"begin": 1.0, "end": 0.0},
        {"begin": 1.0, "end": 0.0, "iterations": 0},
        {"begin": 1.0, "end": 0.0, "iterations": 5, "step": 0},
        {"begin": 1.0, "end": 0.0, "iterations": 5, "over": 2},
        {"begin": 1.0, "end": 0.0, "iterations": None},
        7,
    ],
)
def test_invalid_schedules_are_named(schedule):
    with pytest.raises(ConfigError, match=r"loss_cfg\.0\.weight_schedule: expected begin, end"):
        LossAggregator(triplet("a", weight_schedule=schedule), RunState())


def test_a_schedule_needs_the_iteration():
    with pytest.raises(ConfigError, match=r"loss_cfg\.0\.weight_schedule: the model gives its losses no iteration"):
        LossAggregator(triplet("a", weight_schedule={"begin": 1, "end": 0, "iterations": 5}))


def write(tmp_path, schedule) -> SimpleNamespace:
    path = tmp_path / "run.yaml"
    content = {
        "model_cfg": {"model": "Baseline"},
        "loss_cfg": [triplet("a", weight_schedule=schedule)],
        "optimizer_cfg": {"solver": "SGD", "lr": 0.1},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [10]},
        "trainer_cfg": {"steps_per_epoch": 7},
    }
    path.write_text(yaml.safe_dump(content))
    return load_config(path)


def test_epochs_become_iterations(tmp_path):
    schedule = {"begin": 1, "end": "1e-1", "iterations": "100 epochs", "step": "1 epoch"}
    assert write(tmp_path, schedule)["loss_cfg"][0]["weight_schedule"] == {
        "begin": 1,
        "end": 0.1,
        "iterations": 700,
        "step": 7,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"over": 3}, r"unknown key loss_cfg\.0\.weight_schedule\.over"),
        ({"step": 0}, r"loss_cfg\.0\.weight_schedule\.step: expected a positive integer.* got 0"),
        ({"begin": "soon"}, r"loss_cfg\.0\.weight_schedule\.begin: expected a number"),
    ],
)
def test_wrong_keys_are_errors(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        write(tmp_path, {"begin": 1, "end": 0, "iterations": 5, **changes})
    with pytest.raises(ConfigError, match=r"loss_cfg\.0\.weight_schedule"):
        write(tmp_path, 5)
