"""Run a function on several local gloo processes, to test code that depends on the world size."""

import os
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from opengait import distributed

# Ranks are forked from a server that has imported these, since imports take longer than most tests.
MODELS = [f"opengait_ext.models.{name}.model" for name in ("dinogrl", "biggait", "biggergait", "m3_reid")]
get_context("forkserver").set_forkserver_preload(["torch", "opengait.main", *MODELS])


def on_ranks(function: Callable[..., Any], folder: Path, *args: Any, world_size: int = 2) -> list[Any]:
    """Return the results of `function(*args)` on each rank, in rank order.

    Args:
        function: a function importable by name, since processes import it, with a picklable result.
        folder: an empty folder for the rendezvous files and the results.
        *args: picklable arguments.
        world_size: number of processes.
    """
    return on_worlds(function, folder, *args, world_sizes=[world_size])[world_size]


def on_worlds(
    function: Callable[..., Any], folder: Path, *args: Any, world_sizes: Sequence[int]
) -> dict[int, list[Any]]:
    """Return what `on_ranks` returns for each of several numbers of processes, which are started once."""
    processes = max(world_sizes)
    mp.start_processes(
        _work, (tuple(world_sizes), str(folder), function, args), nprocs=processes, start_method="forkserver"
    )
    results = [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in range(processes)]
    return {world: [result[world] for result in results[:world]] for world in world_sizes}


def _work(rank: int, worlds: Sequence[int], folder: str, function: Callable[..., Any], args: tuple) -> None:
    # Set before torch looks for devices, since the ranks of a test cannot share a GPU.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(1)
    results = {}
    for world in worlds:
        if rank < world:
            dist.init_process_group("gloo", init_method=f"file://{folder}/{world}", rank=rank, world_size=world)
            results[world] = function(*args)
            distributed.stop()
    torch.save(results, f"{folder}/rank{rank}.pt")
