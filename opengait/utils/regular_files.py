"""Reading of files that are given by path: regular ones only, since a pipe blocks and a device never ends."""

import errno
import os
import stat
import struct
import zlib
from typing import BinaryIO

# The exceptions that readers raise for a damaged file, besides OSError and errors of their own.
DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    SyntaxError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)

# Without O_NONBLOCK, opening a pipe waits for a writer. It has no effect on regular files.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        OSError: it cannot be opened, or is a folder, a pipe, a socket or a device.
    """
    number, _ = _open(path)
    return os.fdopen(number, "rb")


def read_file(path: str | os.PathLike, most: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: it cannot be read, is not a regular file, or has more than `most` bytes.
    """
    # System calls of its own, since Python's file objects take twice as long for a small file.
    number, size = _open(path)
    try:
        if size > most:
            raise OSError(errno.EFBIG, f"its {size:,} bytes exceed the limit of {most:,}", os.fspath(path))
        data = os.read(number, size)
        while len(data) < size and (more := os.read(number, size - len(data))):
            data += more
        return data
    finally:
        os.close(number)


def _open(path: str | os.PathLike) -> tuple[int, int]:
    """Return the descriptor and the size of a regular file."""
    number = os.open(path, _FLAGS)
    status = os.fstat(number)
    if stat.S_ISREG(status.st_mode):
        return number, status.st_size
    os.close(number)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", os.fspath(path))
