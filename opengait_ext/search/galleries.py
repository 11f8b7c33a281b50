"""Galleries by their path or address: folders, collections on a server, and files of descriptors."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from opengait.data.text_files import read_json
from opengait.errors import ConfigError, DataError
from opengait.utils.files import write_json
from opengait_ext.search.descriptors import Descriptors, load_descriptors
from opengait_ext.search.gallery import Gallery, connect
from opengait_ext.search.milvus import MilvusGallery, exists_in_milvus, is_address, open_milvus

FILE_NAME = "gallery.json"
_VERSION = 1
_KEYS = {"cfgs": str, "checkpoint": str, "checkpoint_sha256": str, "frames": int, "overrides": list, "shape": list}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tracklets (
    place INTEGER PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, track TEXT NOT NULL,
    start_seconds REAL, end_seconds REAL, thumbnail BLOB NOT NULL, removed INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS keys ON tracklets (key) WHERE removed = 0;
CREATE INDEX IF NOT EXISTS removals ON tracklets (place) WHERE removed = 1;
CREATE INDEX IF NOT EXISTS visible ON tracklets (place) WHERE place % 2 = 0;
CREATE INDEX IF NOT EXISTS infrared ON tracklets (place) WHERE place % 2 = 1;
"""


def create_gallery(folder: str | Path, like: Descriptors) -> Gallery:
    """Create an empty gallery folder for tracklets of the network that described `like`.

    Raises:
        ConfigError: the folder holds something else.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not a gallery; name a new folder.")
    largest = float(np.abs(like.embeddings).max(initial=0)) or 1.0
    network = {name: getattr(like, name) for name in ("cfgs", "checkpoint", "checkpoint_sha256", "frames")}
    content: dict[str, Any] = {"version": _VERSION, **network, "overrides": list(like.overrides)}
    content |= {"shape": list(like.embeddings.shape[1:]), "scale": float(2.0 ** -np.ceil(np.log2(largest)))}
    folder.mkdir(parents=True, exist_ok=True)
    with closing(connect(folder, "rwc")) as database:
        database.executescript(_SCHEMA)
    write_json(folder / FILE_NAME, content)
    return open_gallery(folder)


def is_gallery(path: str | Path) -> bool:
    """Return whether a path is a gallery folder."""
    return (Path(path) / FILE_NAME).is_file()


def open_gallery(folder: str | Path) -> Gallery:
    """Open a gallery folder.

    Raises:
        DataError: it is not a gallery, or is damaged.
    """
    file = Path(folder) / FILE_NAME
    content = read_json(file, "`vvi gallery add` makes galleries")
    if content.get("version") != _VERSION:
        raise DataError(f"{file}: expected version {_VERSION}, got {content.get('version')!r}.")
    values: dict[str, Any] = {key: content.get(key) for key in _KEYS}
    wrong = [key for key, kind in _KEYS.items() if not isinstance(values[key], kind)]
    shape, scale = values.pop("shape"), content.get("scale")
    if wrong or not isinstance(scale, float) or not scale > 0 or len(shape) != 2:
        raise DataError(f"{file}: `{(wrong or ['scale or shape'])[0]}` has no valid value; make the gallery again.")
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise DataError(f"{file}: expected two positive sizes as shape, got {shape}.")
    values |= {"overrides": tuple(map(str, values["overrides"])), "shape": (shape[0], shape[1])}
    return Gallery(folder=Path(folder), **values, scale=scale)


def open_any(path: str | Path) -> Gallery | MilvusGallery | Descriptors:
    """Open a gallery folder or a gallery on a server, or read the descriptors in a file.

    Raises:
        DataError: it is none of these.
    """
    if is_address(str(path)):
        return open_milvus(str(path))
    return open_gallery(path) if Path(path).is_dir() else load_descriptors(path)


def open_if_there(path: str | Path) -> Gallery | MilvusGallery | None:
    """Open a gallery folder or a gallery on a server; return None for one that does not exist yet."""
    if is_address(str(path)):
        return open_milvus(str(path)) if exists_in_milvus(str(path)) else None
    return open_gallery(path) if is_gallery(path) else None


def open_or_create(path: str | Path, like: Descriptors) -> Gallery | MilvusGallery:
    """Open a gallery folder or a gallery on a server, or create it for the network that described `like`."""
    if is_address(str(path)):
        return open_milvus(str(path), like)
    return open_gallery(path) if is_gallery(path) else create_gallery(path, like)
