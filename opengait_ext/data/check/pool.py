"""One check of many files, on all cores. Imports little, so that processes start fast."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm

from opengait.errors import DataError

CHUNK = 128


def check_all(
    paths: Sequence[str], check: Callable[[str], Any], workers: int = 1, progress: bool = False, unit: str = "frame"
) -> list[Any]:
    """`check(path)` for every path, in their order.

    Args:
        check: can be pickled, and raises nothing.
        workers: processes; 1 works in this one.

    Raises:
        DataError: a process was killed from outside.
    """
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    found: list[Any] = []
    with tqdm(total=len(paths), desc="checking", unit=unit, disable=not progress) as bar:
        for some in _in_processes(chunks, check, workers) if workers > 1 else _here(chunks, check):
            found += some
            bar.update(len(some))
    return found


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _here(chunks: Sequence[Sequence[str]], check: Callable[[str], Any]) -> Iterator[list[Any]]:
    for chunk in chunks:
        yield [check(path) for path in chunk]


def _in_processes(chunks: Sequence[Sequence[str]], check: Callable[[str], Any], workers: int) -> Iterator[list[Any]]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _remember, (check,))
    waiting: deque[Future] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_check_chunk, chunk))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "A checking process was killed, perhaps for lack of memory; run again with fewer --workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_mine: list[Callable[[str], Any]] = []


def _remember(check: Callable[[str], Any]) -> None:
    # Sent to each process once, so that a pack is opened once.
    _mine[:] = [check]


def _check_chunk(paths: Sequence[str]) -> list[Any]:
    return [_mine[0](path) for path in paths]
