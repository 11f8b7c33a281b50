"""Descriptors of tracklets, and the file that stores them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait.evaluation.features import check_finite
from opengait.utils.files import check_arrays, read_arrays, write_whole
from opengait_ext.data import Modality

_TEXTS = ("names", "types", "folders")
_LAYOUT = {"embeddings": ("number", 3), **dict.fromkeys(_TEXTS, ("text", 1)), "frames": ("integer", 0)}
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

    def __len__(self) -> int:
        return len(self.names)


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
    write_whole(path, lambda partial: np.savez(partial, **arrays))
    return path


def load_descriptors(path: str | Path) -> Descriptors:
    """Read a file written by `save_descriptors`.

    Raises:
        DataError: the file is missing or not a valid file of descriptors, or a descriptor holds NaN or infinity.
    """
    path = Path(path)
    arrays = read_arrays(path, Descriptors.__dataclass_fields__, "vvi embed")
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
    )
