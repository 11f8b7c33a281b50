"""Checkpoint files: atomic writing, reading without code, and clear errors for files that do not match."""

import random
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from opengait.engine.checkpoint import (
    checkpoint_path,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from opengait.errors import CheckpointError
from tests.paths import ROOT


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


STATE = {"weight": torch.ones(2)}


@pytest.mark.parametrize(
    "content", [STATE, {"state_dict": STATE}, {"model": {"net": STATE}}, {"model": STATE, "optimizer": None}]
)
def test_the_state_dict_is_always_under_model(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    loaded = load_checkpoint(tmp_path / "a.pt")
    assert torch.equal(loaded["model"]["weight"], STATE["weight"]) and "optimizer" not in loaded


def endless() -> list:
    nested: list = []
    for _ in range(40):
        nested = [nested, nested]
    return nested


def random_state_with(**changes) -> list:
    return [random_state() | changes]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", {"weight": "text"}),
        ("model", {3: torch.ones(1)}),
        ("model", [torch.ones(1)]),
        ("optimizer", [1]),
        ("optimizer", {"state": {}}),
        ("optimizer", {"state": {}, "param_groups": [{"params": 3}]}),
        ("scheduler", "MultiStepLR"),
        ("iteration", -1),
        ("iteration", "6"),
        ("iteration", 6.0),
        ("iteration", True),
        ("iteration", endless()),
        ("batches_drawn", -5),
        ("batches_drawn", torch.tensor(3)),
        ("scaler", 3),
        ("trained_with", []),
        ("rank_states", "garbage"),
        ("rank_states", [{}]),
        ("rank_states", [3]),
        ("rank_states", random_state_with(torch=torch.zeros(3, dtype=torch.uint8))),
        ("rank_states", random_state_with(python=(3, (1, 2), None))),
        ("rank_states", random_state_with(numpy=("MT19937", torch.zeros(1).expand(10**6, 10**6), 0, 0, 0.0))),
    ],
)
def test_wrong_entries_are_named(tmp_path, name, value):
    torch.save({"model": STATE, "iteration": 3} | {name: value}, tmp_path / "a.pt")
    before = torch.get_rng_state()
    with pytest.raises(CheckpointError, match=rf"a\.pt is .*`{name}` is .*; expected"):
        load_checkpoint(tmp_path / "a.pt")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_folder_lists_its_checkpoints(tmp_path):
    save_checkpoint({}, tmp_path / "checkpoints" / "net-00003.pt")
    with pytest.raises(CheckpointError, match=r"folder; .*checkpoints/net-00003\.pt"):
        load_checkpoint(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [0, 1])
def test_a_full_disk_is_named(tmp_path, megabytes):
    """The limit of a process on file sizes fails as a full disk does; torch would say "unexpected pos"."""
    code = (
        "import resource, signal, sys, torch; from opengait.engine.checkpoint import save_checkpoint\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({megabytes} * 2**20, {megabytes} * 2**20))\n"
        "save_checkpoint({'model': {str(n): torch.ones(10**5) for n in range(9)}}, sys.argv[1])"
    )
    save_checkpoint({"iteration": 1}, tmp_path / "a.pt")
    process = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.pt"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert re.search(r"OutputError: Cannot write .*a\.pt: File too large", process.stderr)
    assert load_checkpoint(tmp_path / "a.pt") == {"iteration": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
