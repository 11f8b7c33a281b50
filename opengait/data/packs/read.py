"""A data set's files in a few large ones: the same bytes, found by their names and memory-mapped.

Half a million small files are slow to copy, to list and to open. A pack is a folder with

    pack.json               version, counts, sizes and checksums; written last, so that a folder without it is no pack
    index/*.npy             the names of the packed files in order, and where each one's bytes are
    frames-00000.bin, ...   the bytes of image files, one after the other
    everything else         files that are no images, as they were, in their folders

A packed file goes by the path that it would have if the pack were the data set's folder: `PACK/Train/0001/ir/D1/1.jpg`.
Nothing is unpickled. `opengait.data.packs.write` makes packs, `opengait.data.packs.verify` checks them.
"""

import json
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from opengait.errors import DataError

HEADER, INDEX = "pack.json", "index"
FORMAT, VERSION = "frame pack", 1
# Arrays of the index: name -> type. `names` holds the UTF-8 names without anything between them.
ARRAYS = {
    "names": "|u1",
    "name_ends": "<i8",
    "shards": "<i4",
    "offsets": "<i8",
    "lengths": "<i8",
    "crc32": "<u4",
}


class Place(NamedTuple):
    """Where a packed file's bytes are, and their CRC-32."""

    shard: int
    offset: int
    length: int
    crc32: int


class Pack:
    """The packed files of a folder.

    Reading is safe from several threads. An object that goes to another process, by fork or pickled, maps the files
    there anew when it is first read from; nothing is ever written.

    Args:
        root: the pack's folder.

    Attributes:
        root: its absolute path.
        header: `pack.json`.

    Raises:
        DataError: there is no pack, it is of another version, or a file of it is missing or has another size.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()
        self.header = read_header(self.root)
        self._opened: _Opened | None = None
        self._check_sizes()

    def __getstate__(self) -> dict[str, Any]:
        # Maps stay in the process that made them.
        return self.__dict__ | {"_opened": None}

    def __len__(self) -> int:
        return self.header["files"]

    def __repr__(self) -> str:
        return f"Pack({str(self.root)!r})"

    @property
    def shards(self) -> list[Path]:
        """The files that hold the images."""
        return [self.root / shard["name"] for shard in self.header["shards"]]

    def names(self, folder: str | os.PathLike = "") -> Iterator[str]:
        """Names of the packed files below `folder`, relative to the root, in the order of their bytes in UTF-8."""
        start = self._start_of(folder)
        index = self._open().names
        for place in range(bisect_left(index, start), len(index)):
            name = index[place]
            if not name.startswith(start):
                return
            yield name.decode()

    def has_folder(self, folder: str | os.PathLike) -> bool:
        """Whether a packed file lies below `folder`."""
        return next(self.names(folder), None) is not None

    def __contains__(self, path: str | os.PathLike) -> bool:
        return self.find(path) is not None

    def find(self, path: str | os.PathLike) -> int | None:
        """The number of a packed file by its name or its path below the root; None if it is not there."""
        name = self._name_of(path)
        names = self._open().names
        place = bisect_left(names, name)
        return place if place < len(names) and names[place] == name else None

    def read(self, path: str | os.PathLike) -> memoryview:
        """The bytes of a packed file, without copying them.

        Raises:
            FileNotFoundError: there is no such file in the pack.
        """
        number = self.find(path)
        if number is None:
            raise FileNotFoundError(2, "it is not in the pack", str(path))
        return self.bytes_of(number)

    def bytes_of(self, number: int) -> memoryview:
        """The bytes of the file with this number."""
        opened = self._open()
        shard, offset, length, _ = opened.place(number)
        return opened.shards[shard][offset : offset + length]

    def place_of(self, number: int) -> Place:
        """Where the file with this number is."""
        return self._open().place(number)

    def name_of(self, number: int) -> str:
        """The name of the file with this number."""
        return self._open().names[number].decode()

    def close(self) -> None:
        """Let go of the maps; reading makes them again."""
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
        # Two threads may both come here first; either one's maps are good.
        if self._opened is None or self._opened.process != os.getpid():
            self._opened = _Opened(self)
        return self._opened

    def _check_sizes(self) -> None:
        """See that every file of the pack is there with its size; its content is not read."""
        for file in (*self.header["shards"], *self.header["index"]):
            path = self.root / file["name"]
            try:
                size = path.stat().st_size
            except OSError as error:
                raise DataError(
                    f"{path} of the pack {self.root} cannot be found ({error.strerror}); pack the data again."
                ) from None
            if size != file["bytes"]:
                raise DataError(
                    f"{path} has {size:,} bytes where the pack's header says {file['bytes']:,}; it was cut short or "
                    f"changed, so copy or pack the data again."
                )


class _Opened:
    """The maps of one process."""

    def __init__(self, pack: Pack) -> None:
        self.process = os.getpid()
        arrays = {name: read_array(pack.root / INDEX / f"{name}.npy", kind) for name, kind in ARRAYS.items()}
        lengths = {len(array) for name, array in arrays.items() if name != "names"}
        if lengths != {len(pack)}:
            raise DataError(f"The index of the pack {pack.root} does not have its {len(pack):,} files; pack it again.")
        self.names = _Names(memoryview(arrays["names"]), memoryview(arrays["name_ends"]))
        self.columns = [memoryview(arrays[name]) for name in ("shards", "offsets", "lengths", "crc32")]
        self.shards = [map_file(path) for path in pack.shards]

    def place(self, number: int) -> Place:
        return Place(*(column[number] for column in self.columns))


class _Names:
    """The sorted names as a sequence of bytes that is searched without reading all of it."""

    def __init__(self, text: memoryview, ends: memoryview) -> None:
        self.text = text
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int) -> bytes:
        return bytes(self.text[self.ends[place - 1] if place else 0 : self.ends[place]])


def is_pack(folder: str | Path) -> bool:
    """Whether a finished pack lies in this folder."""
    return (Path(folder).expanduser() / HEADER).is_file()


def open_pack(folder: str | Path) -> Pack | None:
    """The pack in this folder; None where a data set's own files are.

    Raises:
        DataError: there is a pack, but a damaged one.
    """
    return Pack(folder) if is_pack(folder) else None


def read_header(root: Path) -> dict[str, Any]:
    """`pack.json`.

    Raises:
        DataError: it is missing or damaged, or of another version.
    """
    path = root / HEADER
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{root} is no pack: {path.name} cannot be read ({error.strerror}); make one with scripts/pack.py, or run "
            f"it again if it was interrupted."
        ) from None
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); pack the data again.") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"{path} does not say that this is a pack; point to a folder that scripts/pack.py made.")
    if header.get("version") != VERSION:
        raise DataError(
            f"{root} is a pack of version {header.get('version')!r}, and this code reads version {VERSION}; pack the "
            f"data again."
        )
    checked = [header.get("shards"), header.get("index")]
    if not all(isinstance(part, list) and all(map(_describes_file, part)) for part in checked) or not isinstance(
        header.get("files"), int
    ):
        raise DataError(f"{path} lacks a part; pack the data again.")
    return header


def read_array(path: Path, kind: str) -> np.ndarray:
    """An array of the index, memory-mapped.

    Raises:
        DataError: it cannot be read, or holds something else.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} of the pack's index cannot be read ({error}); pack the data again.") from None
    if array.dtype.str != kind or array.ndim != 1:
        raise DataError(f"{path} of the pack's index holds {array.dtype} {array.shape}; pack the data again.")
    return np.asarray(array, dtype=array.dtype.newbyteorder("="))


def map_file(path: Path) -> memoryview:
    """A file's bytes, read when they are looked at."""
    with path.open("rb") as file:
        empty = os.fstat(file.fileno()).st_size == 0
        return memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _describes_file(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("bytes"), int)
