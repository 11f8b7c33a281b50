"""Atomic writing, reading of arrays, and digests of files."""

import errno
import hashlib
import json
import math
import os
import platform
import re
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait.errors import DataError, OutputError

# Temporary files of `write_whole`: `.<name>.<machine>-<process>.part<suffix>`; earlier versions left out the machine.
_PARTIAL = re.compile(r"\..+?\.(?:(?P<machine>[^.]*)-)?(?P<process>\d+)\.part(\..*)?$")
_MACHINE = platform.node().replace(".", "_")
# No file takes a day to write; beyond that age its writer is taken for dead, wherever it ran.
_OLDEST_PARTIAL = 24 * 3600.0


def write_whole(path: Path, write: Callable[[Path], Any], *, flush: bool = False) -> None:
    """Write a file atomically: even after a crash, `path` holds the old file or the complete new one.

    `write` writes to a temporary path in the same folder, which is then renamed to `path`. The temporary name keeps the
    suffix, since some writers derive the format from it. Temporary files of processes that were killed are removed.

    Args:
        path: the file; its folder is created.
        write: writes the content to the path that it is given.
        flush: also survive a power failure, at the cost of waiting for the disk.

    Raises:
        OutputError: the file cannot be written; the old one, if any, is unchanged.
    """
    # Cut, since a name may be as long as the file system permits.
    partial = path.with_name(f".{path.stem[:40]}.{_MACHINE}-{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        try:
            write(partial)
            if flush:
                _flush(partial)
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        if flush:
            # Some network file systems cannot flush folders.
            with suppress(OSError):
                _flush(path.parent)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {_reason(error, path, partial)}.") from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in `folder` whose writers are dead."""
    with os.scandir(folder) as entries:
        names = [match for entry in entries if (match := _PARTIAL.match(entry.name))]
    for name in names:
        partial = folder / name[0]
        with suppress(OSError):
            here = name["machine"] in (None, _MACHINE)
            if (here and not _alive(int(name["process"]))) or time.time() - partial.stat().st_mtime > _OLDEST_PARTIAL:
                partial.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _reason(error: OSError, path: Path, partial: Path) -> str:
    """Describe an error of writing, with the file that it is about if that is another than the one to write."""
    reason = error.strerror or str(error)
    if os.path.isdir(path):  # noqa: PTH112 (does not fail for long names)
        return f"{reason} (it is a folder)"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{reason}; free some space or name another place"
    other = str(error.filename or path)
    return reason if other in (str(path), str(partial)) else f"{other}: {reason}"


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically; arrays and tensors become lists, paths strings, and NaN and infinity null."""
    write_text(path, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")


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
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a valid .npz file ({error}); {written_by} writes such files.") from error
    missing = [name for name in required if name not in arrays]
    if missing:
        raise DataError(f"{path} has no `{missing[0]}`; use a file that {written_by} wrote.")
    return arrays


def plain(value: Any) -> Any:
    """Return a value as nested dicts, lists and scalars for JSON; NaN and infinity, which it lacks, become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_here(path: Path) -> str:
    """Return a path relative to the working directory if it is below it, otherwise the absolute path."""
    path, folder = path.resolve(), Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
