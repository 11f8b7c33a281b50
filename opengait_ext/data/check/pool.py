"""One check of many files on all cores. Imports little, so that checking processes start fast."""

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
    """Return `check(path)` for every path, in order.

    Args:
        paths: the files.
        check: a function that can be pickled and does not raise.
        workers: number of processes; 1 uses the current process.
        progress: show a progress bar.
        unit: unit of the progress bar.

    Raises:
        DataError: a process was killed.
    """
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    results: list[Any] = []
    with tqdm(total=len(paths), desc="checking", unit=unit, disable=None if progress else True) as bar:
        for part in _in_processes(chunks, check, workers) if workers > 1 else _in_this_process(chunks, check):
            results += part
            bar.update(len(part))
    return results


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_this_process(chunks: Sequence[Sequence[str]], check: Callable[[str], Any]) -> Iterator[list[Any]]:
    for chunk in chunks:
        yield [check(path) for path in chunk]


def _in_processes(chunks: Sequence[Sequence[str]], check: Callable[[str], Any], workers: int) -> Iterator[list[Any]]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _set_check, (check,))
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
            "A checking process was killed, perhaps because memory ran out; run again with fewer --workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


# The check of this process, sent once instead of with every chunk, so that it opens a pack once.
_check: list[Callable[[str], Any]] = []


def _set_check(check: Callable[[str], Any]) -> None:
    _check[:] = [check]


def _check_chunk(paths: Sequence[str]) -> list[Any]:
    return [_check[0](path) for path in paths]
