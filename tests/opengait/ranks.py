"""Run a function on several local gloo processes, to test code that depends on the world size."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def on_ranks(function: Callable[..., Any], folder: Path, *args: Any, world_size: int = 2) -> list[Any]:
    """Return the results of `function(*args)` on each rank, in rank order.

    Args:
        function: a function importable by name, since processes are spawned, with a picklable result.
        folder: an empty folder for the rendezvous file and the results.
        *args: picklable arguments.
        world_size: number of processes.
    """
    mp.spawn(_work, (world_size, str(folder), function, args), nprocs=world_size)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in range(world_size)]


def _work(rank: int, world_size: int, folder: str, function: Callable[..., Any], args: tuple) -> None:
    # Set before torch looks for devices, since the ranks of a test cannot share a GPU.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size)
    torch.save(function(*args), f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()
