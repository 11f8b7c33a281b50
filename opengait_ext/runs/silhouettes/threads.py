"""Work that several threads do in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_threads(work: Callable[[Job], Result], jobs: Iterable[Job], threads: int = 2) -> Iterator[Result]:
    """`map(work, jobs)` on threads, results in the order of the jobs, at most `2 * threads` of them ahead.

    Decoding and encoding pictures leaves Python's lock, so this overlaps with the network. An exception of `work` is
    raised here, as it is.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
