"""Nested, bare and prefixed state dicts."""

import pytest
import torch
from torch import nn

from opengait.utils.state_dicts import HOLDERS, WRAPPERS, find_state, is_plain, unwrapped


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


STATE = net().state_dict()


@pytest.mark.parametrize("content", [STATE, *({key: STATE, "epoch": 3} for key in HOLDERS), {"model": {"net": STATE}}])
def test_a_state_dict_is_found(content):
    assert find_state(content) is STATE


@pytest.mark.parametrize("content", [3, None, {}, {"model": {}}, {"model": 3}, {"a": STATE}, {**STATE, "epoch": 3}])
def test_other_contents_have_none(content):
    assert find_state(content) is None


def test_a_dict_that_contains_itself_ends():
    content: dict = {}
    content["model"] = content
    assert find_state(content) is None


def prefixed(*parts: str) -> dict:
    return {".".join((*parts, name)): value for name, value in STATE.items()}


@pytest.mark.parametrize(
    "wrappers", [(), *((name,) for name in WRAPPERS), ("module", "_orig_mod"), ("model", "module")]
)
def test_wrappers_are_removed(wrappers):
    assert unwrapped(prefixed(*wrappers), STATE.__contains__).keys() == STATE.keys()
    assert unwrapped(prefixed(*wrappers), is_plain).keys() == STATE.keys()


def test_wrappers_of_parts_are_removed():
    model = nn.ModuleDict({"network": net()})
    names = model.state_dict()
    for wrappers in (("network", "_orig_mod"), ("network", "module"), ("module", "network", "_orig_mod")):
        assert unwrapped(prefixed(*wrappers), names.__contains__).keys() == names.keys()


def test_the_names_of_the_network_come_first():
    """A network may have a part called `model` or `module`."""
    model = nn.ModuleDict({"model": net()}).state_dict()
    assert unwrapped(model, model.__contains__).keys() == model.keys()


def test_torchs_averaged_models_are_understood():
    state = torch.optim.swa_utils.AveragedModel(net()).state_dict()
    assert unwrapped(state, STATE.__contains__).keys() == STATE.keys()


def test_names_that_would_collide_stay():
    state = {"weight": torch.ones(1), "module.weight": torch.zeros(1)}
    assert unwrapped(state, is_plain) == state
