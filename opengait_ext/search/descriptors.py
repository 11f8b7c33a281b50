"""Descriptors of tracklets, and the file that stores them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait.evaluation.features import check_finite
from opengait.utils.files import check_arrays, read_arrays, write_whole
from opengait_ext.data import Modality
from opengait_ext.search.neighbours import Neighbours, block_rows, exact_neighbours
from opengait_ext.search.records import Record

_TEXTS = ("names", "types", "folders")
_LAYOUT = {"embeddings": ("number", 3), **dict.fromkeys(_TEXTS, ("text", 1)), "frames": ("integer", 0)}
_RECORDS = dict.fromkeys(("sources", "tracks"), ("text", 1))
_RECORDS |= {"seconds": ("number", 2), "thumbnail_sizes": ("integer", 1)}
_LAYOUT |= dict.fromkeys(("cfgs", "checkpoint", "checkpoint_sha256"), ("text", 0))


@dataclass(frozen=True)
class Descriptors:
    """Descriptors of n tracklets and their origin.

    Attributes:
        embeddings: float32 (n, c, p).
        names, types, folders: n strings each; types are modalities, folders hold the frames ("" for videos).
        cfgs, checkpoint: configuration file and checkpoint of the network.
        checkpoint_sha256: digest of the checkpoint; descriptors of different networks are not comparable.
        frames: number of frames used per tracklet; 0 for as many as in the network's test.
        overrides: changes to the configuration, as `KEY=VALUE`.
        records: n origins; none in files of earlier versions.
    """

    embeddings: np.ndarray
    names: np.ndarray
    types: np.ndarray
    folders: np.ndarray
    cfgs: str
    checkpoint: str
    checkpoint_sha256: str
    frames: int
    overrides: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def counts(self) -> Mapping[str, int]:
        """Return the number of tracklets of each modality that has any."""
        return {str(kind): int((self.types == kind).sum()) for kind in np.unique(self.types)}

    def nearest(self, queries: np.ndarray, modality: str, top: int, metric: str) -> Neighbours:
        """Return the nearest tracklets of a modality for queries `[q, c, p]`."""
        places = np.flatnonzero(self.types == modality)
        rows = block_rows(len(queries), queries.shape[1:])
        parts = (places[start : start + rows] for start in range(0, len(places), rows))
        return exact_neighbours(queries, ((part, self.embeddings[part]) for part in parts), top, metric)

    def tracklet(self, place: int) -> tuple[str, np.ndarray, Record]:
        """Return name, descriptor `[c, p]` and record of a tracklet."""
        record = self.records[place] if self.records else Record(str(self.folders[place]))
        return str(self.names[place]), self.embeddings[place], record


@dataclass(frozen=True, kw_only=True)
class Described:
    """What galleries that are not in memory know of the network that described their tracklets.

    Attributes:
        cfgs, checkpoint, checkpoint_sha256, frames, overrides: the network, as in `Descriptors`.
        shape: (c, p) of a descriptor.
    """

    cfgs: str
    checkpoint: str
    checkpoint_sha256: str
    frames: int
    overrides: tuple[str, ...]
    shape: tuple[int, int]

    def check(self, descriptors: Descriptors, gallery: str) -> None:
        """Check that tracklets to add were described alike.

        Raises:
            DataError: another network described them, or from another number of frames.
        """
        if descriptors.checkpoint_sha256 != self.checkpoint_sha256:
            raise DataError(
                f"{gallery} was described by {self.checkpoint}, but the new tracklets by {descriptors.checkpoint}; "
                f"describe all with one network."
            )
        if descriptors.embeddings.shape[1:] != self.shape or descriptors.frames != self.frames:
            raise DataError(
                f"{gallery} has descriptors of {self.shape} from {self.frames} frames, the new tracklets "
                f"{descriptors.embeddings.shape[1:]} from {descriptors.frames}."
            )


def npz_path(path: str | Path) -> Path:
    """Return the path that descriptors are written to: `path`, with .npz appended unless it ends so.

    Raises:
        ConfigError: `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give the path of a file to write, such as {path / 'gallery.npz'}.")
    return path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")


def save_descriptors(path: str | Path, descriptors: Descriptors) -> Path:
    """Write descriptors atomically to `npz_path(path)`, without pickled objects, and return that path."""
    path = npz_path(path)
    arrays: dict[str, Any] = {name: np.asarray(getattr(descriptors, name)) for name in _LAYOUT}
    arrays["overrides"] = np.asarray(descriptors.overrides, dtype=np.str_)
    if descriptors.records:
        arrays |= _record_arrays(descriptors.records)
    write_whole(path, lambda partial: np.savez(partial, **arrays))
    return path


def load_descriptors(path: str | Path) -> Descriptors:
    """Read a file written by `save_descriptors`.

    Raises:
        DataError: the file is missing or not a valid file of descriptors, or a descriptor holds NaN or infinity.
    """
    path = Path(path)
    arrays = read_arrays(path, [*_LAYOUT, "overrides"], "vvi embed")
    for layout in (_LAYOUT, {"overrides": ("text", 1)}):
        check_arrays(path, arrays, layout)
    check_finite(arrays["embeddings"], arrays["names"].tolist(), str(path))
    unknown = sorted(set(arrays["types"].tolist()) - set(Modality))
    if unknown:
        raise DataError(f"{path} has a tracklet of modality {unknown[0]!r}; expected {' or '.join(Modality)}.")
    return Descriptors(
        embeddings=arrays["embeddings"],
        names=arrays["names"],
        types=arrays["types"],
        folders=arrays["folders"],
        cfgs=str(arrays["cfgs"]),
        checkpoint=str(arrays["checkpoint"]),
        checkpoint_sha256=str(arrays["checkpoint_sha256"]),
        frames=int(arrays["frames"]),
        overrides=tuple(arrays["overrides"].tolist()),
        records=_records(path, arrays) if "sources" in arrays else (),
    )


def _record_arrays(records: Sequence[Record]) -> dict[str, np.ndarray]:
    """Return records as arrays; thumbnails follow each other, with their lengths apart."""
    seconds = [(r.start_seconds, r.end_seconds) for r in records]
    return {
        "sources": np.array([r.source for r in records], dtype=np.str_),
        "tracks": np.array([r.track for r in records], dtype=np.str_),
        "seconds": np.array([[np.nan if t is None else t for t in pair] for pair in seconds]).reshape(-1, 2),
        "thumbnail_sizes": np.array([len(r.thumbnail) for r in records], dtype=np.int64),
        "thumbnails": np.frombuffer(b"".join(r.thumbnail for r in records), dtype=np.uint8),
    }


def _records(path: Path, arrays: dict[str, np.ndarray]) -> tuple[Record, ...]:
    missing = [name for name in (*_RECORDS, "thumbnails") if name not in arrays]
    if missing:
        raise DataError(f"{path} has no `{missing[0]}`; use a file that vvi embed wrote.")
    check_arrays(path, arrays, {"names": ("text", 1), **_RECORDS})
    check_arrays(path, arrays, {"thumbnails": ("integer", 1)})
    sizes, pictures = arrays["thumbnail_sizes"], arrays["thumbnails"].astype(np.uint8).tobytes()
    if (sizes < 0).any() or sizes.sum() != len(pictures) or arrays["seconds"].shape[1] != 2:
        raise DataError(f"{path}: the sizes of the thumbnails do not fit; write the file again.")
    ends = np.cumsum(sizes)
    columns = zip(
        arrays["sources"].tolist(), arrays["tracks"].tolist(), arrays["seconds"], ends - sizes, ends, strict=True
    )
    return tuple(
        Record(source, track, _seconds(seconds[0]), _seconds(seconds[1]), pictures[start:end])
        for source, track, seconds, start, end in columns
    )


def _seconds(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
