"""Reading of .npz files, which are ZIP archives of arrays, without trusting what they announce."""

import math
import tokenize
import zipfile
from pathlib import Path

import numpy as np

from opengait.utils import regular_files

# The most bytes of all arrays together: this many, or this many times the file's size if that is more.
MOST_BYTES, MOST_RATIO = 1 << 26, 100
# The exceptions that a damaged file raises in these libraries, besides OSError.
DAMAGE = (*regular_files.DAMAGE, tokenize.TokenError, zipfile.BadZipFile)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file by name; pickled objects are rejected.

    Raises:
        OSError: it cannot be opened.
        ValueError and the others of `DAMAGE`: it is damaged, or announces more than it holds.
    """
    with regular_files.open_file(path) as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        most = max(MOST_BYTES, MOST_RATIO * Path(path).stat().st_size)
        announced = sum(entry.file_size for entry in entries)
        if announced > most:
            raise ValueError(f"its arrays of {announced:,} bytes exceed the limit of {most:,} for a file of its size")
        arrays = {entry.filename.removesuffix(".npy"): _read(archive, entry) for entry in entries}
        if len(arrays) != len(entries):
            raise ValueError("two of its arrays share one name")
        return arrays


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{entry.filename!r} is compressed by a method that numpy does not write")
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        if version not in _HEADERS:
            raise ValueError(f"{entry.filename!r} has version {version}")
        shape, fortran, dtype = _HEADERS[version](member)
        if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
            raise ValueError(f"{entry.filename!r} holds objects or records instead of numbers or text")
        count = math.prod(shape)
        size = count * dtype.itemsize
        if min(shape, default=0) < 0 or size < count or size != entry.file_size - member.tell():
            raise ValueError(
                f"{entry.filename!r} announces {dtype} {list(shape)}, but holds a different number of bytes"
            )
        data = bytearray(member.read())  # to the end, where the archive's checksum is compared
        return np.ndarray(shape, dtype, data, order="F" if fortran else "C")
