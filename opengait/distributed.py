"""Processes, devices and seeds, usable whether or not a process group was started.

Outside a process group (a notebook, a unit test, plain `python`) this is rank 0 of a world of 1, and gathering returns
its argument.
"""

# numpy's global stream is legacy (NPY002), but OpenGait's transforms draw from it, so it is seeded and kept here.
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
    """Whether a process group is running."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Global rank of this process; 0 outside a process group."""
    return dist.get_rank() if is_initialized() else 0


def world_size() -> int:
    """Number of processes; 1 outside a process group."""
    return dist.get_world_size() if is_initialized() else 1


def local_rank() -> int:
    """Rank of this process on its machine, as torchrun sets it; 0 without torchrun."""
    return int(os.environ.get("LOCAL_RANK", 0))


def is_main() -> bool:
    """Whether this process is the one that speaks and writes."""
    return rank() == 0


def device() -> torch.device:
    """The CUDA device of this local rank, or the CPU when there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", local_rank() % torch.cuda.device_count())
    return torch.device("cpu")


def start(timeout_minutes: float = 30) -> None:
    """Join the process group that torchrun describes, or form one of this process alone; nccl on CUDA, gloo on CPU.

    The group of one is for model files that ask `torch.distributed` itself for rank and world size, as OpenGait's do.
    """
    if is_initialized():
        return
    here = device()
    if here.type == "cuda":
        torch.cuda.set_device(here)
    backend = "nccl" if here.type == "cuda" else "gloo"
    timeout = timedelta(minutes=timeout_minutes)
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=timeout)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1, timeout=timeout)


def stop(failed: bool = False) -> None:
    """Leave the process group, if there is one; after a failure only if that cannot mean waiting for other ranks."""
    if is_initialized() and not (failed and world_size() > 1):
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for every process."""
    if is_initialized():
        dist.barrier()


def broadcast_object(value: Any) -> Any:
    """Rank 0's picklable `value`, on every rank."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gather_objects(value: Any) -> list[Any]:
    """Every rank's picklable `value`, in rank order, on every rank."""
    if world_size() == 1:
        return [value]
    box: list[Any] = [None] * world_size()
    dist.all_gather_object(box, value)
    return box


def gather_rows(tensor: torch.Tensor, dim: int = 0, requires_grad: bool = True) -> torch.Tensor:
    """Concatenate the ranks' tensors along `dim`, in rank order (upstream `ddp_all_gather`).

    Shapes must agree between ranks. With `requires_grad` this rank's own slice stays attached to its graph; the other
    ranks' slices are constants, so a loss over the result must be scaled by the world size under DDP's averaging.
    Without it everything is a constant.
    """
    if world_size() == 1:
        return tensor if requires_grad else tensor.detach()
    slices = [torch.empty_like(tensor) for _ in range(world_size())]
    dist.all_gather(slices, tensor.detach().contiguous())
    if requires_grad:
        slices[rank()] = tensor
    return torch.cat(slices, dim=dim)


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch, on CPU and CUDA."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


def mix_seed(*values: int | str) -> int:
    """A 63-bit seed that depends on every value, such as (seed, iteration, position)."""
    text = "/".join(str(value) for value in values)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def seed_cpu(seed: int) -> None:
    """Seed python, numpy and torch on the CPU; the GPU's stream, which `torch.manual_seed` reaches into, goes on."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.default_generator.manual_seed(seed)


@contextmanager
def isolated_random(seed: int) -> Iterator[None]:
    """Run a block on its own random streams (python, numpy, torch CPU) and leave the surrounding ones untouched."""
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    seed_cpu(seed)
    try:
        yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])  # noqa: NPY002
        torch.set_rng_state(state[2])
