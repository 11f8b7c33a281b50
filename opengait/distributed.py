"""Processes, devices and seeds, usable whether or not a process group was started.

Outside a process group (a notebook, a unit test, plain `python`) the rank is 0, the world size 1, and gathering returns
its argument.
"""

# numpy's global stream is legacy (NPY002), but OpenGait's transforms draw from it, so it is seeded here.
import contextlib
import hashlib
import json
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
import torch.distributed as dist

from opengait.errors import UserError

Result = TypeVar("Result")

# What torchrun sets for each process.
_LAUNCHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# How long processes that were not started by torchrun wait for each other.
_MEETING_MINUTES = 5


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
    """Return the device of this process: the CPU in a gloo group, else the GPU of its local rank if there is one."""
    if torch.cuda.is_available() and not (is_initialized() and dist.get_backend() == "gloo"):
        return torch.device("cuda", local_rank() % torch.cuda.device_count())
    return torch.device("cpu")


def device_text() -> str:
    """Return the device for the log, such as `2 processes, cuda:0, NVIDIA A100 with 79.2 GiB`."""
    current = device()
    if current.type == "cuda":
        facts = torch.cuda.get_device_properties(current)
        text = f"{current}, {facts.name} with {facts.total_memory / 2**30:.1f} GiB"
    else:
        threads = torch.get_num_threads()
        text = f"CPU, {threads} thread{'s' * (threads > 1)}"
    return text if world_size() == 1 else f"{world_size()} processes, {text}"


def no_gpu_reason() -> str:
    """Return why this installation of torch offers no GPU; empty if it does."""
    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    return f"torch {torch.__version__} is built for CUDA {torch.version.cuda}, but finds no usable GPU"


def start(device_type: str | None = None, timeout_minutes: float = 30) -> None:
    """Join the process group of torchrun, or create one of this process alone; nccl on CUDA, gloo on the CPU.

    A single process gets a group too, since OpenGait's model files query `torch.distributed` directly.

    Args:
        device_type: "cpu" or "cuda"; None takes the GPU if there is one.
        timeout_minutes: how long a process waits for another within a collective operation.

    Raises:
        UserError: there is no usable GPU, or the variables of a launcher are incomplete, or a process does not join.
    """
    if is_initialized():
        return
    launched = _launched()
    if device_type == "cuda" and (reason := no_gpu_reason()):
        raise UserError(f"--device cuda: {reason}; install a build for this driver, or leave --device out.")
    current = device() if device_type != "cpu" else torch.device("cpu")
    backend = "nccl" if current.type == "cuda" else "gloo"
    if current.type == "cuda":
        _use_gpu(current)
    timeout = timedelta(minutes=timeout_minutes)
    if launched:
        store, this_rank, processes = _meet()
        store.set_timeout(timeout)
    else:
        store, this_rank, processes = dist.HashStore(), 0, 1
    dist.init_process_group(backend, store=store, rank=this_rank, world_size=processes, timeout=timeout)


def _launched() -> bool:
    """Return whether a launcher started this process as one of a group.

    Raises:
        UserError: only some of its variables are set, or a value is not possible.
    """
    values = {name: os.environ[name] for name in _LAUNCHER if name in os.environ}
    advice = "Start with torchrun, or unset RANK and WORLD_SIZE to run a single process."
    for name in (*_LAUNCHER, "LOCAL_RANK"):
        text = os.environ.get(name, "0")
        if name != "MASTER_ADDR" and not (text.isascii() and text.isdecimal()):
            raise UserError(f"{name} is {text!r}; expected a number. {advice}")
    world = int(values.get("WORLD_SIZE", 1))
    missing = [name for name in _LAUNCHER if name not in values]
    if world == 1 and missing and ("RANK" not in values or "WORLD_SIZE" in values):
        return False
    if missing:
        given = ", ".join(f"{name}={value}" for name, value in values.items())
        raise UserError(f"The environment has {given}, but not {', '.join(missing)}. {advice}")
    if int(values["RANK"]) >= world:
        raise UserError(f"RANK is {values['RANK']}; expected less than WORLD_SIZE, which is {world}. {advice}")
    return True


def _meet() -> tuple[Any, int, int]:
    """Return the launcher's store, and this process's rank and the number of processes."""
    address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    world = os.environ["WORLD_SIZE"]
    if world != "1" and "TORCHELASTIC_RUN_ID" not in os.environ:
        logging.getLogger("opengait").warning("Waiting at %s for %s processes, as WORLD_SIZE says.", address, world)
    try:
        # Not `init_process_group`, which would wait as long for a missing process as for a slow operation.
        return next(dist.rendezvous("env://", timeout=timedelta(minutes=_MEETING_MINUTES)))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"Not all {world} processes met at {address} ({str(error).splitlines()[0]}). Start all of them with "
            f"torchrun, or unset RANK and WORLD_SIZE to run a single process."
        ) from error


def _use_gpu(current: torch.device) -> None:
    # Other launchers than torchrun may show each process a GPU of its own.
    together = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if together > torch.cuda.device_count():
        raise UserError(
            f"{together} processes on this machine, but {torch.cuda.device_count()} GPU(s); start at most one process "
            f"per GPU, or add --device cpu."
        )
    try:
        torch.cuda.set_device(current)
        torch.zeros(1, device=current)
    except RuntimeError as error:
        raise UserError(
            f"{current} cannot be used ({str(error).splitlines()[0]}); choose another with CUDA_VISIBLE_DEVICES, or "
            f"add --device cpu."
        ) from error


def stop(failed: bool = False) -> None:
    """Leave the process group, if any; after a failure only if there are no other ranks to wait for."""
    if is_initialized() and not (failed and world_size() > 1):
        # A group of torch 2.6 waits for the threads of its backend without letting them run Python, which they may need
        # to end. The backend lets them, so it must outlive the group.
        backend = None
        with contextlib.suppress(RuntimeError):
            backend = cast(Any, dist.group.WORLD)._get_backend(device())
        dist.destroy_process_group()
        del backend


def tell_launcher(error: str) -> None:
    """Have torchrun end its report on the failed processes with this error instead of a hint at its manual."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        with contextlib.suppress(OSError):
            content = {"message": {"message": error, "extraInfo": {"timestamp": str(int(time.time()))}}}
            Path(path).write_text(json.dumps(content), encoding="utf-8")


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


def on_main(action: Callable[[], Result]) -> Result:
    """Return rank 0's result of `action` on every rank; the other ranks do not run it.

    Raises:
        UserError, OSError: rank 0 raised it; raised on every rank, so that none waits for the others.
    """
    outcome: tuple[Any, Exception | None] = (None, None)
    if is_main():
        try:
            outcome = (action(), None)
        except (UserError, OSError) as error:
            outcome = (None, error)
    value, failure = broadcast_object(outcome)
    if failure is not None:
        raise failure
    return cast(Result, value)


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


def shared_store(purpose: str) -> tuple[Any, str]:
    """Return the key-value store of the process group and a key that this call has on every rank.

    Args:
        purpose: first part of the key; all ranks must ask for a purpose equally often, in the same order.
    """
    store = dist.distributed_c10d._get_default_store()
    return store, f"opengait/{purpose}/{store.add(f'opengait/{purpose}/rank{rank()}', 1)}"


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
