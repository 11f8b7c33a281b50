"""Files that are there whole or not at all, and work that several threads do in order."""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make the file under a temporary name in the same folder, then rename it to `path`.

    The temporary name keeps the suffix, by which picture writers choose the format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Indented JSON, whole or not at all."""
    write_whole(path, lambda partial: partial.write_text(json.dumps(content, indent=2) + "\n"))


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
