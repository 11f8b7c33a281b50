"""Files that are there whole or not at all, and what identifies one."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait.errors import DataError


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make the file under a temporary name in the same folder, then rename it to `path`.

    The temporary name keeps the suffix, by which some writers choose the format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """UTF-8 text, whole or not at all."""
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Indented JSON, whole or not at all; arrays and tensors become lists, paths become text."""
    write_text(path, json.dumps(plain(content), indent=2) + "\n")


def read_arrays(path: Path, wanted: Iterable[str], written_by: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; pickled objects in it are refused.

    Args:
        path: the file.
        wanted: names that must be there.
        written_by: what makes such files, for the message.

    Raises:
        DataError: the file is missing, damaged, or lacks an array.
    """
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not what it should be ({error}); {written_by} writes such files.") from error
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise DataError(f"{path} has no `{missing[0]}`; files that {written_by} writes have.")
    return arrays


def plain(value: Any) -> Any:
    """Nested dicts and lists of what JSON knows."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        return value.tolist()
    return str(value) if isinstance(value, Path) else value


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_here(path: Path) -> str:
    """The path relative to the working directory, where it lies below it."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
