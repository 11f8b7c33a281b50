"""Atomic writing, reading of arrays, and digests of files."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait.errors import DataError
from opengait.utils.npz import DAMAGE, load_npz


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file atomically: `write` writes to a temporary path in the same folder, which is then renamed to `path`.

    The temporary name keeps the suffix, since some writers derive the format from it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically; arrays and tensors become lists, paths become strings."""
    write_text(path, json.dumps(plain(content), indent=2) + "\n")


def read_arrays(path: Path, required: Iterable[str], written_by: str) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file; pickled objects are rejected.

    Args:
        path: the file.
        required: names of arrays that the file must contain.
        written_by: the command that writes such files, for the message.

    Raises:
        DataError: the file is missing or damaged, or lacks an array.
    """
    try:
        arrays = load_npz(path)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except DAMAGE as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a valid .npz file ({reason}); {written_by} writes such files.") from error
    missing = [name for name in required if name not in arrays]
    if missing:
        raise DataError(f"{path} has no `{missing[0]}`; use a file that {written_by} wrote.")
    return arrays


def plain(value: Any) -> Any:
    """Return a value as nested dicts, lists and scalars for JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        return value.tolist()
    return str(value) if isinstance(value, Path) else value


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_here(path: Path) -> str:
    """Return a path relative to the working directory if it is below it, otherwise the absolute path."""
    path, folder = path.resolve(), Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
