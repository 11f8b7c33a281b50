"""Pack a dataset's folder (`opengait.data.packs.read` describes the format).

A pack is written shard by shard under temporary names. Finished shards survive an interruption, and the same call
continues after them; `pack.json` is written last.
"""

import hashlib
import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from opengait.data.folders import is_clutter, walk_folders
from opengait.data.packs.header import ARRAYS, FORMAT, HEADER, INDEX, VERSION
from opengait.data.packs.read import Pack, is_pack
from opengait.errors import DataError
from opengait.utils.files import sha256_of, write_json, write_whole
from opengait.utils.regular_files import read_file
from opengait.utils.threads import in_threads

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
SHARD_BYTES = 1 << 30
STARTED = "pack.partial.json"  # exists until pack.json is written
READERS = 8


@dataclass(frozen=True)
class SourceFile:
    """A file to pack: its name relative to the dataset's folder, its size in bytes and its modification time (ns)."""

    name: str
    size: int
    changed: int


@dataclass(frozen=True)
class Packed:
    """Counts of a call of `write_pack`.

    Attributes:
        files, size: the number of images in the pack, and of their bytes.
        shards, kept: the number of shards, and of those that existed before the call.
        others: the number of files that are not images.
    """

    files: int
    size: int
    shards: int
    kept: int
    others: int


def write_pack(root: str | Path, out: str | Path, shard_bytes: int = SHARD_BYTES, progress: bool = False) -> Packed:
    """Pack the dataset in `root` into the folder `out`, continuing an interrupted call.

    Image files go into shards, other files are copied. Hidden files are skipped.

    Args:
        root: a dataset's folder.
        out: a new or empty folder outside of it, or that of an interrupted call.
        shard_bytes: a shard ends with the file that reaches this size.
        progress: show a progress bar.

    Raises:
        DataError: `root` has no images, `out` has other contents, or a file cannot be read or written.
    """
    root, out = Path(root).expanduser().absolute(), Path(out).expanduser().absolute()
    _check_folders(root, out)
    files = list_files(root)
    images = [file for file in files if is_image(file)]
    others = [file for file in files if not is_image(file)]
    if not images:
        raise DataError(f"{root} holds no image files; name the folder of a dataset.")
    _check_names(root, others)
    source = _digest(files, shard_bytes)
    plan = list(split_shards(images, shard_bytes))
    total = sum(file.size for file in images)
    if is_pack(out):
        if Pack(out).header.get("source") != source:
            raise DataError(f"{out} is a pack of other files, or of an earlier state of {root}; name a new folder.")
        return Packed(len(images), total, len(plan), len(plan), len(others))
    with (
        writing(out),
        tqdm(total=total, desc="packing", unit="B", unit_scale=True, disable=None if progress else True) as bar,
    ):
        _start(out, source)
        shards = [_Shard(root, out, number, files) for number, files in enumerate(plan)]
        kept = sum([shard.finish(bar) for shard in shards])
        header = {
            "format": FORMAT,
            "version": VERSION,
            "source": source,
            "files": len(images),
            "shards": [shard.description() for shard in shards],
            "index": _write_index(out, shards),
            "others": [_copy(root, out, file) for file in others],
        }
        write_json(out / HEADER, header)
        for shard in shards:
            shard.note.unlink()
        (out / STARTED).unlink()
    return Packed(len(images), total, len(plan), kept, len(others))


def list_files(root: Path) -> list[SourceFile]:
    """List every file below `root` except clutter (`is_clutter`), sorted by the UTF-8 bytes of its name.

    Raises:
        DataError: a folder cannot be listed, or a link is broken or leads back to a folder above it.
    """
    files = []
    for folder in walk_folders(root):
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not is_clutter(entry.name) and not entry.is_dir():
                        status = entry.stat()
                        name = Path(entry.path).relative_to(root).as_posix()
                        files.append(SourceFile(name, status.st_size, status.st_mtime_ns))
        except OSError as error:
            raise DataError(f"Cannot list {error.filename or folder}: {error.strerror}.") from error
    return sorted(files, key=lambda file: file.name.encode())


def is_image(file: SourceFile) -> bool:
    """Return whether a file goes into the shards, by its suffix."""
    return file.name.lower().endswith(IMAGES)


def split_shards(images: Sequence[SourceFile], shard_bytes: int) -> Iterator[list[SourceFile]]:
    """Split files, in order, after each file that reaches `shard_bytes`."""
    shard: list[SourceFile] = []
    size = 0
    for file in images:
        shard.append(file)
        size += file.size
        if size >= shard_bytes:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


class _Shard:
    """A shard being written; the file `note` holds its checksums until the header is written."""

    def __init__(self, root: Path, out: Path, number: int, files: Sequence[SourceFile]) -> None:
        self.root = root
        self.path = out / f"frames-{number:05d}.bin"
        self.note = out / f"frames-{number:05d}.json"
        self.files = files
        self.sha256 = ""
        self.crc32 = np.empty(0, "<u4")

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def description(self) -> dict[str, Any]:
        return {"name": self.path.name, "bytes": self.size, "sha256": self.sha256}

    def finish(self, bar: tqdm) -> bool:
        """Write the shard, unless an earlier call wrote it; return whether an earlier call did."""
        if self.note.exists() and self.path.exists() and self.path.stat().st_size == self.size:
            with suppress(ValueError, TypeError, KeyError):  # a damaged note: the shard is written again
                note = json.loads(self.note.read_text())
                self.sha256, self.crc32 = note["sha256"], np.frombuffer(bytes.fromhex(note["crc32"]), "<u4")
                if len(self.crc32) == len(self.files):
                    bar.update(self.size)
                    return True
        write_whole(self.path, lambda file: self.write(file, bar))
        write_json(self.note, {"sha256": self.sha256, "crc32": self.crc32.tobytes().hex()})
        return False

    def write(self, file: Path, bar: tqdm) -> None:
        digest, sums = hashlib.sha256(), []
        with file.open("wb") as shard:
            for data in read_ahead([self.root / file.name for file in self.files], [f.size for f in self.files]):
                shard.write(data)
                digest.update(data)
                sums.append(zlib.crc32(data))
                bar.update(len(data))
            shard.flush()
            os.fsync(shard.fileno())
        self.sha256, self.crc32 = digest.hexdigest(), np.array(sums, "<u4")


def read_ahead(paths: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
    """Yield the files' bytes in order, read by several threads, since reading small files is mostly waiting.

    Raises:
        DataError: a file cannot be read, or its size has changed.
    """

    def read(file: tuple[Path, int]) -> bytes:
        path, size = file
        try:
            data = read_file(path, sys.maxsize)
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror}.") from error
        if len(data) != size:
            raise DataError(f"{path} changed while it was packed; pack again while nothing writes to the dataset.")
        return data

    yield from in_threads(read, zip(paths, sizes, strict=True), READERS, ahead=4)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turn errors of writing into a `DataError`."""
    try:
        yield
    except OSError as error:
        raise DataError(f"Cannot write the pack {out}: {error.strerror or error}.") from error


def _write_index(out: Path, shards: Sequence[_Shard]) -> list[dict[str, Any]]:
    names = [file.name.encode() for shard in shards for file in shard.files]
    counts = [len(shard.files) for shard in shards]
    sizes = [np.array([file.size for file in shard.files], "<i8") for shard in shards]
    columns = {
        "names": np.frombuffer(b"".join(names), "|u1"),
        "name_ends": np.cumsum([len(name) for name in names]),
        "shards": np.repeat(np.arange(len(shards)), counts),
        "offsets": np.concatenate([np.cumsum(size) - size for size in sizes]),
        "lengths": np.concatenate(sizes),
        "crc32": np.concatenate([shard.crc32 for shard in shards]),
    }
    written = []
    for name, kind in ARRAYS.items():
        path = out / INDEX / f"{name}.npy"
        write_whole(path, partial(_save_array, columns[name].astype(kind)))
        written.append({"name": f"{INDEX}/{path.name}", "bytes": path.stat().st_size, "sha256": sha256_of(path)})
    return written


def _save_array(array: np.ndarray, file: Path) -> None:
    np.save(file, array)


def _copy(root: Path, out: Path, file: SourceFile) -> dict[str, Any]:
    path = out / file.name
    write_whole(path, lambda copy: shutil.copyfile(root / file.name, copy))
    return {"name": file.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _digest(files: Sequence[SourceFile], shard_bytes: int) -> str:
    """Return a digest of the files to pack; only a pack of the same files is continued."""
    digest = hashlib.sha256(str(shard_bytes).encode())
    for file in files:
        digest.update(f"\0{file.name}\0{file.size}\0{file.changed}".encode())
    return digest.hexdigest()


def _start(out: Path, source: str) -> None:
    """Mark the folder as a pack in progress and remove what a killed process left unfinished."""
    started = out / STARTED
    if started.exists():
        try:
            former = json.loads(started.read_text())["source"]
        except (ValueError, TypeError, KeyError):
            former = None
        if former != source:
            raise DataError(
                f"{out} holds an unfinished pack of other files, or of an earlier state of them; remove the "
                f"folder and start again."
            )
        for unfinished in out.glob(".frames-*.part.*"):
            unfinished.unlink()
        return
    if out.exists() and any(out.iterdir()):
        raise DataError(f"{out} is not empty and is not a pack; name a new or empty folder.")
    write_json(started, {"source": source})


def _check_folders(root: Path, out: Path) -> None:
    if not root.is_dir():
        raise DataError(f"There is no folder {root}; name the folder of a dataset.")
    if is_pack(root):
        raise DataError(f"{root} is already a pack; name the folder that it was made from.")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; name a new folder for the pack.")
    if out.resolve().is_relative_to(root.resolve()) or root.resolve().is_relative_to(out.resolve()):
        raise DataError(f"The pack {out} and the dataset {root} must not contain each other; name another folder.")


def _check_names(root: Path, others: Sequence[SourceFile]) -> None:
    for file in others:
        if file.name in (HEADER, STARTED) or file.name.startswith((f"{INDEX}/", "frames-")):
            raise DataError(f"{root / file.name} has a name that packs reserve; rename it and pack again.")
