"""Processes, devices and seeds, usable whether or not a process group was started.

Outside a process group (a notebook, a unit test, plain `python`) the rank is 0, the world size 1, and gathering returns
its argument.
"""

# numpy's global stream is legacy (NPY002), but OpenGait's transforms draw from it, so it is seeded here.
import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist


def is_initialized() -> bool:
    """Return whether a process group is running."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Return the global rank of this process; 0 outside a process group."""
    return dist.get_rank() if is_initialized() else 0


def world_size() -> int:
    """Return the number of processes; 1 outside a process group."""
    return dist.get_world_size() if is_initialized() else 1


def local_rank() -> int:
    """Return the rank of this process on its machine, as torchrun sets it; 0 without torchrun."""
    return int(os.environ.get("LOCAL_RANK", 0))


def is_main() -> bool:
    """Return whether this process is rank 0, which logs and writes files."""
    return rank() == 0


def device() -> torch.device:
    """Return the CUDA device of this local rank, or the CPU if there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", local_rank() % torch.cuda.device_count())
    return torch.device("cpu")


def start(timeout_minutes: float = 30) -> None:
    """Join the process group of torchrun, or create one of this process alone; nccl on CUDA, gloo on the CPU.

    A single process gets a group too, since OpenGait's model files query `torch.distributed` directly.
    """
    if is_initialized():
        return
    current = device()
    if current.type == "cuda":
        torch.cuda.set_device(current)
    backend = "nccl" if current.type == "cuda" else "gloo"
    timeout = timedelta(minutes=timeout_minutes)
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=timeout)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1, timeout=timeout)


def stop(failed: bool = False) -> None:
    """Leave the process group, if any; after a failure only if there are no other ranks to wait for."""
    if is_initialized() and not (failed and world_size() > 1):
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for all processes."""
    if is_initialized():
        dist.barrier()


def broadcast_object(value: Any) -> Any:
    """Return rank 0's picklable `value` on every rank."""
    if world_size() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def gather_objects(value: Any) -> list[Any]:
    """Return the ranks' picklable values, in rank order, on every rank."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def broadcast_tensor(value: torch.Tensor) -> torch.Tensor:
    """Return rank 0's tensor on every rank, where shapes and types must agree."""
    if world_size() == 1:
        return value
    received = value.clone()
    dist.broadcast(received, src=0)
    return received


def sum_over_ranks(value: torch.Tensor) -> torch.Tensor:
    """Return the sum of the ranks' tensors, as a constant."""
    total = value.detach().clone()
    if world_size() > 1:
        dist.all_reduce(total)
    return total


def mean_over_ranks(value: torch.Tensor) -> torch.Tensor:
    """Return the mean of the ranks' tensors, as a constant."""
    return sum_over_ranks(value) / world_size()


def minimum(value: int) -> int:
    """Return the smallest of the ranks' values."""
    if world_size() == 1:
        return value
    smallest = torch.tensor(value, device=device())
    dist.all_reduce(smallest, dist.ReduceOp.MIN)
    return int(smallest)


def gather_rows(tensor: torch.Tensor, dim: int = 0, requires_grad: bool = True) -> torch.Tensor:
    """Concatenate the ranks' tensors along `dim`, in rank order (upstream `ddp_all_gather`).

    Shapes must agree between ranks. With `requires_grad`, this rank's slice stays attached to its graph and the other
    slices are constants, so a loss over the result must be multiplied by the world size under DDP's averaging. Without
    it, the whole result is a constant.
    """
    if world_size() == 1:
        return tensor if requires_grad else tensor.detach()
    slices = [torch.empty_like(tensor) for _ in range(world_size())]
    dist.all_gather(slices, tensor.detach().contiguous())
    if requires_grad:
        slices[rank()] = tensor
    return torch.cat(slices, dim=dim)


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch, on the CPU and on CUDA."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


def mix_seed(*values: int | str) -> int:
    """Return a 63-bit seed that depends on every value, such as (seed, iteration, position)."""
    text = "/".join(str(value) for value in values)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def seed_cpu(seed: int) -> None:
    """Seed Python, numpy and torch on the CPU; unlike `torch.manual_seed`, leave the GPUs' streams unchanged."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.default_generator.manual_seed(seed)


@contextmanager
def isolated_random(seed: int) -> Iterator[None]:
    """Run a block on its own random streams (Python, numpy, torch on the CPU) and restore the surrounding ones."""
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    seed_cpu(seed)
    try:
        yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])  # noqa: NPY002
        torch.set_rng_state(state[2])
