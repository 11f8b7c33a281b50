"""Fetching and checking the files of the catalogue."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from opengait.errors import CheckpointError
from opengait.utils.files import sha256_of, write_json
from opengait_ext.weights.catalogue import WeightFile
from opengait_ext.weights.read import read_weights, shape_complaint
from opengait_ext.weights.transfer import fetch, note_path


@dataclass(frozen=True)
class Obtained:
    """A checked file.

    Attributes:
        path: path of the file.
        sha256: SHA-256 of its content.
        new: whether it was fetched just now.
    """

    path: Path
    sha256: str
    new: bool


def obtain(entry: WeightFile, folder: Path, mirror: str | None = None, pause: float = 1.0) -> Obtained:
    """Check the file of `entry` in `folder`, or fetch it first if it is missing.

    A file is called `.part` until it is complete and checked.

    Args:
        mirror: address of a folder from which to fetch the file instead of its publisher.
        pause: seconds before a broken connection is retried.

    Raises:
        CheckpointError: the existing or fetched file is not the published one, or it cannot be fetched
            (`OfflineError` if its server cannot be reached).
    """
    address = f"{mirror.rstrip('/')}/{entry.file}" if mirror else entry.address
    target = folder / entry.file
    if target.is_dir():
        raise CheckpointError(f"{target} is a folder, expected a file; move it away, or name another with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be created ({error.strerror}); name another with --out.") from error
    try:
        with one_at_a_time(folder):
            return _obtain(entry, target, address, pause)
    except OSError as error:
        raise CheckpointError(
            f"{error.filename or target} cannot be written ({error.strerror or error}); name another folder with --out."
        ) from error


def _obtain(entry: WeightFile, target: Path, address: str, pause: float) -> Obtained:
    note, partial = (target.with_name(f"{target.name}.{suffix}") for suffix in ("json", "part"))
    if target.is_file():
        sha256 = check(target, entry, note, f"delete it and run `vvi download {entry.name}`")
        # What an interrupted download left, if the file was then put here by hand.
        with suppress(OSError):
            for leftover in (partial, note_path(partial)):
                leftover.unlink(missing_ok=True)
        return Obtained(target, sha256, new=False)
    fetch(address, partial, pause)
    try:
        sha256 = check(partial, entry, note, f"it came from {address} and was deleted")
    except CheckpointError:
        partial.unlink()
        raise
    with partial.open("r+b") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())
    if first_seen(note) is None:
        write_json(note, {"file": entry.file, "address": address, "sha256": sha256})
    partial.replace(target)
    return Obtained(target, sha256, new=True)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process downloads into `folder`, and keep others from it."""
    with ExitStack() as opened:
        with suppress(ImportError, OSError):  # Windows and some network file systems cannot lock folders.
            import fcntl

            descriptor = os.open(folder, os.O_RDONLY)
            opened.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def check(path: Path, entry: WeightFile, note: Path, advice: str) -> str:
    """Compare a file with everything that is known about it, and return its SHA-256.

    The start of the SHA-256 is known in advance for torch's files only. Every file must keep the SHA-256 of its first
    fetch, and have the tensors of its network if they are known.

    Args:
        note: JSON file with the SHA-256 of the first fetch; it need not exist.
        advice: end of the messages, on what to do.

    Raises:
        CheckpointError: the file differs; the message names the first difference.
    """
    sha256 = sha256_of(path)
    if not sha256.startswith(entry.sha256_start):
        raise CheckpointError(
            f"{path} is not {entry.file}: its SHA-256 starts {sha256[:8]} instead of {entry.sha256_start}; {advice}."
        )
    seen = first_seen(note)
    if seen is not None and seen != sha256:
        raise CheckpointError(
            f"{path} differs from the first fetch: its SHA-256 starts {sha256[:8]}, and {note.name} says {seen[:8]}; "
            f"{advice}, or delete {note.name} if its publisher has changed it."
        )
    state = read_weights(path, entry.purpose)
    if entry.shapes is None:
        return sha256
    shapes = {key: value.shape for key, value in state.items() if not key.endswith("num_batches_tracked")}
    complaint = shape_complaint(shapes, {key: torch.Size(shape) for key, shape in entry.shapes().items()})
    if complaint:
        raise CheckpointError(f"{path} is not {entry.purpose}: {complaint}; {advice}.")
    return sha256


def first_seen(note: Path) -> str | None:
    """Return the SHA-256 of the first fetch, or None if there is no note of it.

    Raises:
        CheckpointError: the note cannot be read.
    """
    if not note.is_file():
        return None
    try:
        sha256 = json.loads(note.read_text(encoding="utf-8"))["sha256"]
        return re.fullmatch("[0-9a-f]{64}", sha256)[0]  # type: ignore[index]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{note} cannot be read as a note of a fetched file; delete it.") from error
