"""Descriptors of a test, saved for figures and reports.

With `evaluator_cfg.save_features: true`, a test writes `<run folder>/logs/test-<iteration>.npz`, which contains no
pickled objects:

    embeddings   float32 [n, c, p], one descriptor per tracklet, in the order of the dataset
    labels       unicode [n]
    types        unicode [n]
    views        unicode [n]
    dataset      unicode [], name of the dataset as the evaluator received it
    fingerprint  unicode [], of the dataset (`opengait.data.fingerprint`), empty if it has none
    iteration    int64 []

The dataset's `seqs_info` has the same order and lists the frames. Compare the fingerprints before relying on it.
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
    """Contents of a saved file.

    Attributes:
        embeddings: float32 `[n, c, p]`.
        labels, types, views: arrays of n strings.
        dataset: name of the dataset.
        fingerprint: of the dataset, or "".
        iteration: of the checkpoint, 0 if the checkpoint was given as a path.
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
    """Write an evaluator's `data` (`embeddings` `[n, c, p]`, `labels`, `types`, `views`) atomically.

    Raises:
        DataError: the embeddings are missing or have an invalid shape.
    """
    shape = np.shape(data["embeddings"]) if "embeddings" in data else None
    if shape is None or len(shape) != 3:
        actual = "none" if shape is None else shape
        raise DataError(
            f"evaluator_cfg.save_features: expected embeddings of shape [tracklets, channels, parts], got {actual}."
        )
    arrays = {
        "embeddings": np.asarray(data["embeddings"], dtype=np.float32),
        **{name: np.asarray(data[name], dtype=np.str_) for name in _COLUMNS},
        "dataset": np.asarray(dataset, dtype=np.str_),
        "fingerprint": np.asarray(fingerprint, dtype=np.str_),
        "iteration": np.asarray(iteration, dtype=np.int64),
    }
    write_whole(path, lambda partial: np.savez(partial, **arrays))  # type: ignore[arg-type]


def load_features(path: str | Path) -> Features:
    """Read a file that `save_features` wrote.

    Raises:
        DataError: the file is missing or invalid, or its arrays differ in length.
    """
    path = Path(path)
    arrays = read_arrays(path, Features.__dataclass_fields__, "`evaluator_cfg.save_features: true`")
    lengths = {name: arrays[name].shape[:1] for name in ("embeddings", *_COLUMNS)}
    if arrays["embeddings"].ndim != 3 or len(set(lengths.values())) > 1:
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in lengths)
        raise DataError(f"The arrays in {path} differ in length ({shapes}); run the test again to rewrite the file.")
    return Features(
        **{name: arrays[name] for name in lengths},
        dataset=str(arrays["dataset"]),
        fingerprint=str(arrays["fingerprint"]),
        iteration=int(arrays["iteration"]),
    )
