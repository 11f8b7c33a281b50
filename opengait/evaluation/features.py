"""Descriptors of a test, kept in a file for reports that are made later.

The file `<run folder>/logs/test-<iteration>.npz` (with `evaluator_cfg.save_features: true`) holds, for numpy and
without pickled objects,

    embeddings   float32 [n, c, p], one descriptor a tracklet, in the data set's order
    labels       unicode [n]
    types        unicode [n]
    views        unicode [n]
    dataset      unicode [], the name that the evaluator was told
    fingerprint  unicode [], of the data set (`opengait.data.fingerprint`), empty if it tells none
    iteration    int64 []

What a tracklet's frames are is told by the data set, whose `seqs_info` has the same order; compare the fingerprint.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opengait.errors import DataError
from opengait.utils.files import read_arrays, write_whole

_COLUMNS = ("labels", "types", "views")


@dataclass(frozen=True)
class Features:
    """What `save_features` kept.

    Attributes:
        embeddings: float32 `[n, c, p]`.
        labels, types, views: arrays of n strings.
        dataset: the data set's name.
        fingerprint: of the data set, or "".
        iteration: of the checkpoint, 0 where it was named by path.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    types: np.ndarray
    views: np.ndarray
    dataset: str
    fingerprint: str
    iteration: int

    def __len__(self) -> int:
        return len(self.labels)


def save_features(path: Path, data: dict[str, Any], dataset: str, fingerprint: str, iteration: int) -> None:
    """Write an evaluator's `data` (`embeddings` `[n, c, p]`, `labels`, `types`, `views`), whole or not at all.

    Raises:
        DataError: there are no embeddings, or not of that shape.
    """
    shape = np.shape(data["embeddings"]) if "embeddings" in data else None
    if shape is None or len(shape) != 3:
        found = "no embeddings" if shape is None else f"embeddings of shape {shape}"
        raise DataError(f"The model gives {found}; evaluator_cfg.save_features keeps [tracklets, channels, parts].")
    arrays = {
        "embeddings": np.asarray(data["embeddings"], dtype=np.float32),
        **{name: np.asarray(data[name], dtype=np.str_) for name in _COLUMNS},
        "dataset": np.asarray(dataset, dtype=np.str_),
        "fingerprint": np.asarray(fingerprint, dtype=np.str_),
        "iteration": np.asarray(iteration, dtype=np.int64),
    }
    write_whole(path, lambda partial: np.savez(partial, **arrays))


def load_features(path: str | Path) -> Features:
    """Read such a file.

    Raises:
        DataError: it is missing, damaged or something else, or its parts differ in length.
    """
    path = Path(path)
    arrays = read_arrays(path, Features.__dataclass_fields__, "`evaluator_cfg.save_features: true`")
    lengths = {name: arrays[name].shape[:1] for name in ("embeddings", *_COLUMNS)}
    if arrays["embeddings"].ndim != 3 or len(set(lengths.values())) > 1:
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in lengths)
        raise DataError(f"The features in {path} do not fit each other ({shapes}); test again to write them anew.")
    return Features(
        **{name: arrays[name] for name in lengths},
        dataset=str(arrays["dataset"]),
        fingerprint=str(arrays["fingerprint"]),
        iteration=int(arrays["iteration"]),
    )
