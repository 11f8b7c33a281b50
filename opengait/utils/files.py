"""Atomic writing, reading of arrays, and digests of files."""

import errno
import hashlib
import json
import math
import os
import platform
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait.errors import ConfigError, DataError, OutputError
from opengait.utils.npz import DAMAGE, load_npz

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
    partial = _partial(path)
    try:
        if path.exists() and not path.is_file():
            # Renaming would replace a device such as /dev/null.
            raise OSError(errno.EEXIST, "it is a folder" if path.is_dir() else "it is not a regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        try:
            write(partial)
            if flush:
                # Windows flushes only what may be written.
                with partial.open("r+b") as file:
                    os.fsync(file.fileno())
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        if flush:
            # Some network file systems cannot flush folders.
            with suppress(OSError):
                _flush_folder(path.parent)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {_reason(error, path, partial)}.") from error


def _flush_folder(path: Path) -> None:
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
    if os.name == "nt":  # where a signal ends the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _reason(error: OSError, path: Path, partial: Path) -> str:
    """Describe an error of writing, naming its file if that is not the one to write."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{reason}; free some space or name another place"
    other = str(error.filename or path)
    return reason if other in (str(path), str(partial)) else f"{other}: {reason}"


def _partial(path: Path) -> Path:
    # Cut, since a name may be as long as the file system permits.
    return path.with_name(f".{path.stem[:40]}.{_MACHINE}-{os.getpid()}.part{path.suffix}")


def check_writable(path: Path) -> None:
    """Check, before long work, that `write_whole` can write a file, whose folder may not exist yet.

    Raises:
        ConfigError: it cannot.
    """
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; give the path of a file to write.")
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        for part in path.absolute().relative_to(folder).parts:
            with suppress(FileNotFoundError):
                (folder / part).stat()  # raises if the name is too long
        probe = _partial(folder / path.name)
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.") from error


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


def check_arrays(path: Path, arrays: Mapping[str, np.ndarray], layout: Mapping[str, tuple[str, int]]) -> None:
    """Check the types of arrays, and that those with axes have the same number of rows.

    Args:
        path: the file of the arrays, for the message.
        arrays: the arrays, by name.
        layout: kind of the values (number, integer or text) and number of axes of each array.

    Raises:
        DataError: an array is of another kind, or their lengths differ.
    """
    kinds = {"number": "f", "integer": "iu", "text": "U"}
    for name, (kind, axes) in layout.items():
        array = arrays[name]
        if array.dtype.kind not in kinds[kind] or array.ndim != axes:
            raise DataError(f"{path}: `{name}` is {array.dtype} {array.shape}; expected {kind} with {axes} axes.")
    lengths = {name: len(arrays[name]) for name, (_, axes) in layout.items() if axes}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"The arrays in {path} differ in length ({listed}); write the file again.")


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
