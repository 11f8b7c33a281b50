"""Tracklets under evaluation, and steps shared by the evaluators."""

import logging
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait.evaluation.distance import distance_rows
from opengait.evaluation.ranking import RankMetrics, rank_metrics

log = logging.getLogger("opengait")
SMALL_GALLERY = 50


@dataclass(frozen=True)
class Tracklets:
    """Descriptors `[n, c, p]` and arrays of n labels, types and views, all strings."""

    embeddings: Any
    labels: np.ndarray
    types: np.ndarray
    views: np.ndarray

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Tracklets":
        """Build the tracklets from an evaluator's `data`.

        Raises:
            DataError: an entry is missing, or the entries differ in length.
        """
        missing = [key for key in ("embeddings", "labels", "types", "views") if key not in data]
        if missing:
            raise DataError(
                f"The evaluator needs `{missing[0]}`, but the model's inference_feat and the dataset provide only "
                f"{', '.join(sorted(data))}."
            )
        columns = [np.asarray(data[key], dtype=np.str_) for key in ("labels", "types", "views")]
        lengths = [len(data["embeddings"]), *map(len, columns)]
        if len(set(lengths)) > 1:
            raise DataError(f"Expected equally many embeddings, labels, types and views, got {lengths}.")
        return cls(data["embeddings"], *columns)

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: np.ndarray) -> "Tracklets":
        """Return the tracklets whose entry in the bool array `mask` is set."""
        return Tracklets(self.embeddings[mask], self.labels[mask], self.types[mask], self.views[mask])


def compare(
    probe: Tracklets, gallery: Tracklets, metric: str, drop_same_view: bool = False, max_rank: int = 20
) -> RankMetrics:
    """Rank the gallery for every probe; `drop_same_view` removes tracklets with the id and the view of the probe."""
    return rank_metrics(
        distance_rows(probe.embeddings, gallery.embeddings, metric),
        probe.labels,
        gallery.labels,
        probe.views,
        gallery.views,
        drop_same_camera=drop_same_view,
        max_rank=max_rank,
    )


def rank_percent(metrics: RankMetrics, rank: int) -> float:
    """Return the percentage of all probes with a match in the first `rank`, rounded to 2 digits; NaN without probes.

    As in OpenGait's view-by-view protocols, a probe whose id is not in the gallery counts as a miss.
    """
    if metrics.queries == 0:
        return float("nan")
    hits = int(((metrics.first_hit > 0) & (metrics.first_hit <= rank)).sum())
    return float(np.round(hits * 100 / metrics.queries, 2))


def without_diagonal(matrix: np.ndarray) -> np.ndarray:
    """Return the row means of a views x views matrix without its diagonal, skipping NaN (pairs without tracklets).

    A row of NaN gives NaN. A matrix of a single view gives its only value.
    """
    if len(matrix) <= 1:
        return matrix.reshape(-1)
    if not np.isnan(matrix).any():
        # OpenGait sums in this order, which decides the last printed digit.
        return (matrix.sum(axis=1) - matrix.diagonal()) / (len(matrix) - 1)
    others = ~np.eye(len(matrix), dtype=bool) & ~np.isnan(matrix)
    count = others.sum(axis=1)
    sums = np.where(others, matrix, 0).sum(axis=1)
    return np.divide(sums, count, out=np.full(len(matrix), np.nan), where=count > 0)


def mean_of_known(values: np.ndarray | Sequence[float]) -> float:
    """Return the mean of the values that are not NaN, or 0 if there are none."""
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if known.size else 0.0


def warn_of_gaps(by_view: Mapping[str, np.ndarray | list[float]], views: np.ndarray) -> None:
    """Log a warning that names the conditions whose value is NaN for some view, if there are any."""
    gaps = []
    for condition, values in by_view.items():
        missing = [str(view) for view, value in zip(views, values, strict=True) if np.isnan(value)]
        if len(missing) == len(views):
            gaps.append(f"{condition} has none and counts as 0")
        elif missing:
            gaps.append(f"{condition} has none from view {', '.join(missing)}, skipped in its mean")
    if gaps:
        log.warning("Some views have no probes or no gallery: %s.", "; ".join(gaps))


def note_small(gallery: Sized) -> None:
    """Print OpenGait's note about a small gallery."""
    if len(gallery) < SMALL_GALLERY:
        print(f"Note: number of gallery samples is quite small, got {len(gallery)}")


def protocol_of(table: dict[str, Any], dataset: str, evaluator: str) -> Any:
    """Return the entry for a dataset in an evaluator's table.

    Raises:
        ConfigError: the table has no such dataset.
    """
    if dataset not in table:
        raise ConfigError(f"data_cfg.test_dataset_name: {evaluator} supports {', '.join(table)}, got {dataset!r}.")
    return table[dataset]


def require_both(probe: Sized, gallery: Sized, advice: str) -> None:
    """Raise a DataError if there are no probes or no gallery; `advice` names what to check."""
    if not len(probe) or not len(gallery):
        raise DataError(_counts(probe, gallery, advice))


def warn_if_empty(probe: Sized, gallery: Sized, advice: str) -> None:
    """Warn that the metrics will be 0 if there are no probes or no gallery.

    This is not an error, since a test during a long training must not end it.
    """
    if not len(probe) or not len(gallery):
        log.warning("%s The metrics below are 0.", _counts(probe, gallery, advice))


def _counts(probe: Sized, gallery: Sized, advice: str) -> str:
    return f"There are {len(probe)} probes and {len(gallery)} gallery tracklets; check {advice}."


def percent_array(values: np.ndarray | Sequence[float]) -> str:
    """Format numbers in brackets with two digits, as OpenGait logs them, and NaN as `-`."""
    return np.array2string(np.asarray(values, dtype=np.float64), formatter={"float_kind": _two_digits})


def _two_digits(value: np.floating) -> str:
    return "-" if np.isnan(value) else f"{value:0.2f}"
