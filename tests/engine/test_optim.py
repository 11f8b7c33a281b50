"""Optimisers by name, with groups of parameters."""

import pytest
import torch

from opengait.errors import ConfigError
from opengait.modeling.optim import build_optimizer


def named():
    return [(name, torch.nn.Parameter(torch.zeros(1))) for name in ("head.weight", "body.weight", "body.bias")]


def test_groups_have_settings_of_their_own_and_the_rest_comes_first():
    parameters = named()
    cfg = {"solver": "AdamW", "lr": 0.1, "weight_decay": 0.5, "groups": [{"match": "head", "lr": 0.7}]}
    rest, head = build_optimizer(parameters, cfg).param_groups
    assert [p is q[1] for p, q in zip(rest["params"], parameters[1:], strict=True)] == [True, True]
    assert (rest["lr"], head["lr"], head["weight_decay"]) == (0.1, 0.7, 0.5)
    assert head["params"][0] is parameters[0][1]


def test_the_first_match_counts_and_frozen_parameters_stay_out():
    parameters = named()
    parameters[2][1].requires_grad_(False)
    groups = [{"match": "body.w", "lr": 1.0}, {"match": "weight", "lr": 2.0}]
    found = build_optimizer(parameters, {"solver": "SGD", "lr": 0.1, "groups": groups}).param_groups
    assert [(group["lr"], len(group["params"])) for group in found] == [(1.0, 1), (2.0, 1)]


@pytest.mark.parametrize(
    ("groups", "message"), [([{"match": "tail"}], "no parameter's name contains 'tail'"), ([{"lr": 1}], "groups.0 is")]
)
def test_mistakes_are_named(groups, message):
    with pytest.raises(ConfigError, match=message):
        build_optimizer(named(), {"solver": "SGD", "lr": 0.1, "groups": groups})
