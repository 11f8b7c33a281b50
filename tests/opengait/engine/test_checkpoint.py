"""Checkpoint files: atomic writing, reading without code, and clear errors for files that do not match."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from opengait.engine.checkpoint import (
    checkpoint_path,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from opengait.engine.weights import load_weights
from opengait.errors import CheckpointError


class RunsCode:
    def __reduce__(self):
        return print, ("a checkpoint ran code",)


def test_path():
    assert str(checkpoint_path("out/x", "net", 30)) == "out/x/checkpoints/net-00030.pt"
    assert checkpoint_path("out", "net", 123456).name == "net-123456.pt"


def test_round_trip(tmp_path):
    content = {"model": {"a": torch.arange(3.0)}, "iteration": 4, "rank_states": [random_state()]}
    save_checkpoint(content, tmp_path / "new" / "a.pt")
    loaded = load_checkpoint(tmp_path / "new" / "a.pt")
    assert torch.equal(loaded["model"]["a"], content["model"]["a"])
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.pt"]


def test_a_failed_save_keeps_the_old_file(tmp_path):
    file = tmp_path / "a.pt"
    save_checkpoint({"iteration": 1}, file)
    with pytest.raises(AttributeError):
        save_checkpoint({"model": torch.ones(1000), "bad": lambda: None}, file)
    assert load_checkpoint(file) == {"iteration": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"]


def test_random_streams_continue(tmp_path):
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    np.random.standard_normal()  # noqa: NPY002 (leaves a second Gaussian in the state)
    save_checkpoint({"state": random_state()}, tmp_path / "a.pt")
    expected = draw()
    draw()
    set_random_state(load_checkpoint(tmp_path / "a.pt")["state"])
    assert draw() == expected


def test_a_missing_file_lists_the_existing_ones(tmp_path):
    save_checkpoint({}, tmp_path / "net-00003.pt")
    with pytest.raises(CheckpointError, match="net-00006.pt; .*net-00003.pt"):
        load_checkpoint(tmp_path / "net-00006.pt")
    with pytest.raises(CheckpointError, match="folder does not exist"):
        load_checkpoint(tmp_path / "none" / "net-00006.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_a_damaged_file(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="a.pt cannot be read"):
        load_checkpoint(tmp_path / "a.pt")


def test_a_file_that_would_run_code_is_rejected(tmp_path, capsys):
    torch.save({"model": RunsCode()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "a.pt")
    assert "ran code" not in capsys.readouterr().out


def net(width: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))


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
