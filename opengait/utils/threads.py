"""An ordered map over several threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Job], Result], jobs: Iterable[Job], threads: int = 2, ahead: int = 2
) -> Iterator[Result]:
    """Yield `map(work, jobs)`, computed by threads that run at most `ahead` jobs per thread ahead.

    Reading files and coding pictures release the interpreter lock, so this overlaps with other work. An exception in
    `work` is raised here.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) >= ahead * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
