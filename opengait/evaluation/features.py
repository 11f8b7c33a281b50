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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opengait.errors import DataError
from opengait.utils.files import check_arrays, read_arrays, write_whole

_COLUMNS = ("labels", "types", "views")
_LAYOUT = {"embeddings": ("number", 3), **dict.fromkeys(_COLUMNS, ("text", 1)), "dataset": ("text", 0)}
_LAYOUT |= {"fingerprint": ("text", 0), "iteration": ("integer", 0)}


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


def check_finite(embeddings: np.ndarray, names: Sequence[str], source: str) -> None:
    """Check that descriptors `[n, ...]` are numbers, since a NaN would be ranked like any other distance.

    Args:
        names: the n tracklets.
        source: origin of the descriptors, for the message.

    Raises:
        DataError: a descriptor holds NaN or infinity.
    """
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=tuple(range(1, np.ndim(embeddings)))))
    if len(bad):
        raise DataError(
            f"{source}: {len(bad)} of {len(names)} descriptors hold NaN or infinity, the first that of tracklet "
            f"{names[bad[0]]}. Check the checkpoint's weights and the log of its training for overflows."
        )


def save_features(path: Path, data: dict[str, Any], dataset: str, fingerprint: str, iteration: int) -> None:
    """Write an evaluator's `data` (`embeddings` `[n, c, p]`, `labels`, `types`, `views`) atomically.

    Raises:
        DataError: the embeddings are missing, have an invalid shape, or hold NaN or infinity.
    """
    shape = np.shape(data["embeddings"]) if "embeddings" in data else None
    if shape is None or len(shape) != 3:
        actual = "none" if shape is None else shape
        raise DataError(
            f"evaluator_cfg.save_features: expected embeddings of shape [tracklets, channels, parts], got {actual}."
        )
    check_finite(data["embeddings"], tracklet_names(data), "evaluator_cfg.save_features")
    arrays = {
        "embeddings": np.asarray(data["embeddings"], dtype=np.float32),
        **{name: np.asarray(data[name], dtype=np.str_) for name in _COLUMNS},
        "dataset": np.asarray(dataset, dtype=np.str_),
        "fingerprint": np.asarray(fingerprint, dtype=np.str_),
        "iteration": np.asarray(iteration, dtype=np.int64),
    }
    write_whole(path, lambda partial: np.savez(partial, **arrays))  # type: ignore[arg-type]


def tracklet_names(data: Mapping[str, Any]) -> list[str]:
    """Return `<label>-<type>-<view>` of each tracklet of an evaluator's `data`."""
    return ["-".join(map(str, names)) for names in zip(*(data[name] for name in _COLUMNS), strict=False)]


def load_features(path: str | Path) -> Features:
    """Read a file that `save_features` wrote.

    Raises:
        DataError: the file is missing or invalid, its arrays differ in length, or a descriptor is not finite.
    """
    path = Path(path)
    arrays = read_arrays(path, _LAYOUT, "`evaluator_cfg.save_features: true`")
    check_arrays(path, arrays, _LAYOUT)
    check_finite(arrays["embeddings"], tracklet_names(arrays), str(path))
    return Features(
        **{name: arrays[name] for name in ("embeddings", *_COLUMNS)},
        dataset=str(arrays["dataset"]),
        fingerprint=str(arrays["fingerprint"]),
        iteration=int(arrays["iteration"]),
    )
