"""Loading of weights: what fits, what does not, and files of other models."""

import pytest
import torch
from torch import nn

from opengait.engine.weights import load_weights
from opengait.errors import CheckpointError


def net(width: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))


def prefixed(prefix: str, state: dict) -> dict:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_wrapped_names_are_understood(prefix):
    state = {name: torch.full_like(value, 7) for name, value in net().state_dict().items()}
    model = net()
    assert load_weights(model, prefixed(prefix, state), "a.pt", strict=True) == []
    assert (model[0].weight == 7).all()


def test_the_state_dict_of_the_only_part_is_understood():
    state = {name: torch.full_like(value, 7) for name, value in net().state_dict().items()}
    model = nn.ModuleDict({"network": net()})
    assert load_weights(model, state, "a.pt", strict=True) == []
    assert (model["network"][0].weight == 7).all()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "no weights"),
        (prefixed("other.", net().state_dict()), "another model.*other.0.weight"),
        (prefixed("other.", net().state_dict()) | {"1.num_batches_tracked": torch.tensor(1)}, "another model"),
        (net(5).state_dict(), "another size: .*0.weight .*5x3 in the file and 2x3 in"),
    ],
)
def test_a_file_of_which_nothing_fits_is_an_error(state, message, strict):
    with pytest.raises(CheckpointError, match=message) as error:
        load_weights(net(), state, "a.pt", strict=strict)
    assert "restore_ckpt_strict" not in str(error.value)


def test_classifiers_of_other_identities_are_left_out():
    state = {name: torch.full_like(value, 7) for name, value in net().state_dict().items()}
    model = nn.ModuleDict({"network": net(), "classifier": nn.Linear(2, 4)})
    theirs = prefixed("network.", state) | {"classifier.weight": torch.ones(9, 2), "classifier.bias": torch.ones(9)}
    with pytest.raises(CheckpointError, match="classifier.weight and 1 more is 9x2 in the file and 4x2 in the model"):
        load_weights(model, theirs, "a.pt", strict=True)
    lines = []
    names = ("classifier.weight", "classifier.bias")
    load_weights(model, theirs, "a.pt", strict=True, classifiers=names, warn=lines.append)
    assert (model["network"][0].weight == 7).all()
    assert lines == [
        "a.pt: its classifiers are of other identities and are not used: classifier.weight and 1 more is 9x2 in the "
        "file and 4x2 in the model."
    ]
    del theirs["classifier.bias"]
    with pytest.raises(CheckpointError, match="lacks classifier.bias"):
        load_weights(model, theirs, "a.pt", strict=True, classifiers=names)


def test_almost_nothing_is_nothing():
    names = [f"layer{number}.weight" for number in range(40)]
    model = nn.ModuleDict({f"layer{number}": nn.Linear(2, 2, bias=False) for number in range(40)})
    state = dict.fromkeys([*names[:3], *(f"x{number}" for number in range(37))], torch.ones(2, 2))
    with pytest.raises(CheckpointError, match="another model"):
        load_weights(model, state, "a.pt", strict=False)
    # A small file all of which fits is a part, such as a head.
    assert len(load_weights(model, dict.fromkeys(names[:3], torch.ones(2, 2)), "a.pt", strict=False)) == 37


def test_the_report_counts_and_names_prefixes():
    state = net().state_dict()
    state = {name: value for name, value in state.items() if not name.startswith("1.running")}
    lines = []
    load_weights(net(), state | {"head.weight": torch.ones(1)}, "a.pt", strict=False, warn=lines.append)
    assert lines == [
        "a.pt: loaded 5 of its 6 entries; of 7 in this Sequential, 2 have no value from it (1.*: 2), and 1 of the file "
        "are not used (head.*: 1)."
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(2, 3, device="meta"), "no values"),
        (torch.ones(2, 3).to_sparse(), "sparse"),
        (torch.ones(2, 3, dtype=torch.int8), "int8 in the file and float32"),
        (torch.ones(2, 3, dtype=torch.complex64), "complex64"),
        (torch.ones(()).expand(10**6, 10**6), "1000000x1000000 in the file"),
    ],
)
def test_values_that_cannot_be_weights(value, message):
    with pytest.raises(CheckpointError, match=f"0.weight .*{message}"):
        load_weights(net(), net().state_dict() | {"0.weight": value}, "a.pt", strict=True)


@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none(name, number):
    state = net().state_dict()
    state[name] = torch.full_like(state[name], number)
    lines = []
    load_weights(net(), state, "a.pt", strict=False, warn=lines.append)
    # A buffer may hold infinity, as masks do.
    fine = name.startswith("1.") and number == float("inf")
    assert bool(lines) is not fine
    if not fine:
        with pytest.raises(CheckpointError, match=f"not finite, in {name}"):
            load_weights(net(), state, "a.pt", strict=True)


def test_strange_names_stay_on_one_line():
    state = net().state_dict() | {"a\nb": torch.ones(1)}
    with pytest.raises(CheckpointError) as error:
        load_weights(net(), state, "a.pt", strict=True)
    assert len(str(error.value).splitlines()) == 1


def test_mismatching_entries_are_named():
    state = net().state_dict()
    state["extra.weight"] = state.pop("1.weight")
    state["0.bias"] = torch.zeros(5)
    with pytest.raises(CheckpointError) as error:
        load_weights(net(), state, "old.pt", strict=True)
    message = str(error.value)
    assert "old.pt does not fit this Sequential" in message
    assert "lacks 1.weight" in message and "no extra.weight" in message
    assert "0.bias is 5 in the file and 2 in the model" in message


def test_matching_entries_are_loaded_if_not_strict():
    state = {name: torch.full_like(value, 7) for name, value in net().state_dict().items()}
    state["0.bias"] = torch.zeros(5)
    del state["1.weight"]
    model = net()
    missing = load_weights(model, state, "old.pt", strict=False)
    assert missing == ["1.weight", "0.bias"]
    assert (model[0].weight == 7).all() and (model[1].weight == 1).all()


def test_free_prefixes_may_be_missing_or_unexpected():
    state = net().state_dict()
    del state["1.weight"]
    state["old.weight"] = torch.zeros(1)
    assert load_weights(net(), state, "old.pt", strict=True, free=("1.", "old.")) == []
