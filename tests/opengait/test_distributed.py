"""Processes and devices: what rank 0 decides for all, and which device a process uses."""

import subprocess
import sys

import pytest
import torch

from opengait import distributed
from opengait.errors import ConfigError, UserError
from tests.opengait.ranks import on_ranks
from tests.paths import ROOT


def _decisions() -> list[str]:
    def refuse() -> None:
        raise ConfigError(f"refused by {distributed.rank()}")

    answers = [distributed.on_main(lambda: f"answer of {distributed.rank()}")]
    try:
        distributed.on_main(refuse)
    except ConfigError as error:
        answers.append(str(error))
    return answers


@pytest.mark.slow
def test_rank_0_decides_for_all(tmp_path):
    assert on_ranks(_decisions, tmp_path) == [["answer of 0", "refused by 0"]] * 2


# Tensors with a Python object, which the backend's threads are the last to hold now and then.
GROUPS = """
import torch, torch.distributed as dist
from opengait import distributed
for _ in range(100):
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    for _ in range(3):
        tensor = torch.ones(1000)
        tensor.mark = object()
        dist.all_reduce(tensor, async_op=True).wait()
        del tensor
    distributed.stop()
"""


@pytest.mark.slow
def test_leaving_a_group_does_not_hang():
    """Holds for every version; without the care that `stop` takes, torch 2.6 hangs here."""
    subprocess.run([sys.executable, "-c", GROUPS], cwd=ROOT, check=True, timeout=400)


@pytest.fixture
def cuda(monkeypatch):
    """Pretend that torch finds a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.mark.parametrize(("backend", "kind"), [("gloo", "cpu"), ("nccl", "cuda"), ("cpu:gloo,cuda:nccl", "cuda")])
def test_the_group_decides_on_the_device(monkeypatch, cuda, backend, kind):
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_backend", lambda: backend)
    assert distributed.device().type == kind


def test_without_a_group_the_gpu_is_used_if_there_is_one(monkeypatch, cuda):
    monkeypatch.setattr(distributed, "is_initialized", lambda: False)
    assert distributed.device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert distributed.device().type == "cpu"


@pytest.mark.parametrize(("built", "reason"), [(None, "without CUDA"), ("12.6", "CUDA 12.6, but finds no usable GPU")])
def test_a_gpu_that_is_asked_for_must_be_there(monkeypatch, built, reason):
    monkeypatch.setattr(distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(UserError, match=reason):
        distributed.start("cuda")


def test_more_processes_than_gpus_are_refused(monkeypatch, cuda):
    monkeypatch.setattr(distributed, "is_initialized", lambda: False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(UserError, match="2 processes .* 1 GPU"):
        distributed.start()


def test_a_process_that_does_not_come_is_reported(monkeypatch):
    monkeypatch.setattr(distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(distributed, "_MEETING_MINUTES", 0.02)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9"):
        distributed.start("cpu")


@pytest.mark.parametrize("variables", [{}, {"WORLD_SIZE": "1"}, {"RANK": "0", "WORLD_SIZE": "1"}])
def test_a_single_process_needs_no_launcher(monkeypatch, variables):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert not distributed._launched()
