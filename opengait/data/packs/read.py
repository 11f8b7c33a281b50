"""A dataset's files packed into a few large ones: the same bytes, found by name and memory-mapped.

Half a million small files are slow to copy, to list and to open. A pack is a folder with

    pack.json               version, counts, sizes and checksums; written last, so a folder without it is not a pack
    index/*.npy             the sorted names of the packed files, and the location of each one's bytes
    frames-00000.bin, ...   the concatenated bytes of image files
    everything else         files that are not images, unchanged, in their folders

A packed file has the path that it would have if the pack were the dataset's folder: `PACK/Train/0001/ir/D1/1.jpg`.
Nothing is unpickled. `opengait.data.packs.write` makes packs, `opengait.data.packs.verify` checks them.
"""

import mmap
import os
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from opengait.data.packs.header import ARRAYS, HEADER, INDEX, read_header
from opengait.errors import DataError
from opengait.utils.npz import DAMAGE


class Location(NamedTuple):
    """Location of a packed file's bytes, and their CRC-32."""

    shard: int
    offset: int
    length: int
    crc32: int


class Pack:
    """The packed files of a folder.

    Reading is thread-safe. In another process, forked or unpickled, the files are mapped again on the first read;
    nothing is ever written.

    Args:
        root: the pack's folder.

    Attributes:
        root: its absolute path.
        header: `pack.json`.

    Raises:
        DataError: there is no pack, its version is not supported, or one of its files is missing or has changed size.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()
        self.header = read_header(self.root)
        self._opened: _Opened | None = None
        self._check_sizes()

    def __getstate__(self) -> dict[str, Any]:
        # Maps are valid only in the process that made them.
        return self.__dict__ | {"_opened": None}

    def __len__(self) -> int:
        return self.header["files"]

    def __repr__(self) -> str:
        return f"Pack({str(self.root)!r})"

    @property
    def shards(self) -> list[Path]:
        """The files that hold the images' bytes."""
        return [self.root / shard["name"] for shard in self.header["shards"]]

    def names(self, folder: str | os.PathLike = "") -> Iterator[str]:
        """Yield the names of the packed files below `folder`, relative to the root, sorted by their UTF-8 bytes."""
        start = self._start_of(folder)
        index = self._open().names
        for number in range(bisect_left(index, start), len(index)):
            name = index[number]
            if not name.startswith(start):
                return
            yield name.decode()

    def has_folder(self, folder: str | os.PathLike) -> bool:
        """Return whether there is a packed file below `folder`."""
        return next(self.names(folder), None) is not None

    def __contains__(self, path: str | os.PathLike) -> bool:
        return self.find(path) is not None

    def find(self, path: str | os.PathLike) -> int | None:
        """Return the number of a packed file, given its name or its path below the root; None if there is none."""
        name = self._name_of(path)
        names = self._open().names
        number = bisect_left(names, name)
        return number if number < len(names) and names[number] == name else None

    def read(self, path: str | os.PathLike) -> memoryview:
        """Return the bytes of a packed file, without copying them.

        Raises:
            FileNotFoundError: the file does not exist in the pack.
            OSError: its bytes have changed since they were packed.
        """
        number = self.find(path)
        if number is None:
            raise FileNotFoundError(2, "it is not in the pack", str(path))
        data = self.bytes_of(number)
        # A hundredth of the time that decoding takes.
        if zlib.crc32(data) != self.location_of(number).crc32:
            raise OSError(5, "it does not match its checksum in the pack; copy or pack the data again", str(path))
        return data

    def bytes_of(self, number: int) -> memoryview:
        """Return the bytes of the file with this number."""
        opened = self._open()
        shard, offset, length, _ = opened.location(number)
        return opened.shards[shard][offset : offset + length]

    def location_of(self, number: int) -> Location:
        """Return the location of the file with this number."""
        return self._open().location(number)

    def name_of(self, number: int) -> str:
        """Return the name of the file with this number."""
        return self._open().names[number].decode()

    def close(self) -> None:
        """Release the maps; the next read makes them again."""
        self._opened = None

    def _name_of(self, path: str | os.PathLike) -> bytes:
        name = os.fspath(path)
        root = f"{self.root}{os.sep}"
        return name.removeprefix(root).replace(os.sep, "/").encode()

    def _start_of(self, folder: str | os.PathLike) -> bytes:
        if os.fspath(folder) in ("", ".", str(self.root)):
            return b""
        return self._name_of(folder).rstrip(b"/") + b"/"

    def _open(self) -> "_Opened":
        # Two threads may open the pack at once; either one's maps will do.
        if self._opened is None or self._opened.process != os.getpid():
            self._opened = _Opened(self)
        return self._opened

    def _check_sizes(self) -> None:
        """Check that every file of the pack exists with its size; contents are not read."""
        for file in (*self.header["shards"], *self.header["index"]):
            path = self.root / file["name"]
            try:
                size = path.stat().st_size
            except OSError as error:
                raise DataError(
                    f"{path} of the pack {self.root} cannot be read ({error.strerror}); pack the data again."
                ) from None
            if size != file["bytes"]:
                raise DataError(
                    f"{path} has {size:,} bytes, but the pack's header records {file['bytes']:,}; it was truncated or "
                    f"changed, so copy or pack the data again."
                )


class _Opened:
    """The maps of one process."""

    def __init__(self, pack: Pack) -> None:
        self.process = os.getpid()
        arrays = {name: read_array(pack.root / INDEX / f"{name}.npy", kind) for name, kind in ARRAYS.items()}
        lengths = {len(array) for name, array in arrays.items() if name != "names"}
        if lengths != {len(pack)}:
            raise DataError(f"The index of the pack {pack.root} does not list its {len(pack):,} files; pack it again.")
        if not _is_sound(arrays, [shard["bytes"] for shard in pack.header["shards"]]):
            raise DataError(f"The index of the pack {pack.root} contradicts itself or the header; pack the data again.")
        self.names = _Names(arrays["names"].data, arrays["name_ends"].data)
        self.columns = [arrays[name].data for name in ("shards", "offsets", "lengths", "crc32")]
        try:
            self.shards = [map_file(path) for path in pack.shards]
        except OSError as error:
            raise DataError(f"Cannot read {error.filename or pack.root} of the pack: {error.strerror}.") from error

    def location(self, number: int) -> Location:
        return Location(*(column[number] for column in self.columns))


def _is_sound(arrays: dict[str, np.ndarray], sizes: list[int]) -> bool:
    """Return whether the index is as `write_pack` writes it: names in UTF-8, files that fill the shards in order."""
    names, ends = arrays["names"], arrays["name_ends"]
    shards, offsets, lengths = (arrays[name].astype(np.int64) for name in ("shards", "offsets", "lengths"))
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    if starts[-1] != len(names) or (np.diff(starts) <= 0).any() or (lengths < 0).any() or (np.diff(shards) < 0).any():
        return False
    if len(shards) and (shards[0] < 0 or shards[-1] >= len(sizes)):
        return False
    # Every file begins where the one before it in its shard ends, and the last one ends with the shard.
    first = np.searchsorted(shards, np.arange(len(sizes)))
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    last = np.searchsorted(shards, np.arange(len(sizes)), "right")
    if (offsets != total[:-1] - total[first][shards]).any() or (total[last] - total[first] != sizes).any():
        return False
    try:
        bytes(names).decode()
    except UnicodeDecodeError:
        return False
    # No name begins in the middle of a character.
    return not (names[starts[:-1]] & 0xC0 == 0x80).any()


class _Names:
    """The sorted names as a sequence of bytes objects, searchable without reading all of them."""

    def __init__(self, text: memoryview, ends: memoryview) -> None:
        self.text = text
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: int) -> bytes:
        return bytes(self.text[self.ends[number - 1] if number else 0 : self.ends[number]])


def is_pack(folder: str | Path) -> bool:
    """Return whether this folder is a finished pack."""
    return (Path(folder).expanduser() / HEADER).is_file()


def open_pack(folder: str | Path) -> Pack | None:
    """Open the pack in this folder; return None if it is not a pack.

    Raises:
        DataError: the pack is damaged.
    """
    return Pack(folder) if is_pack(folder) else None


def read_array(path: Path, kind: str) -> np.ndarray:
    """Map an array of the index to memory.

    Raises:
        DataError: it cannot be read, or has an unexpected type.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, MemoryError, *DAMAGE) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} of the pack's index cannot be read ({reason}); pack the data again.") from None
    if not isinstance(array, np.ndarray) or array.dtype.str != kind or array.ndim != 1:
        held = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise DataError(f"{path} of the pack's index holds {held}; pack the data again.")
    return np.asarray(array, dtype=array.dtype.newbyteorder("="))


def map_file(path: Path) -> memoryview:
    """Map a file to memory; its bytes are read on access."""
    with path.open("rb") as file:
        empty = os.fstat(file.fileno()).st_size == 0
        return memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
