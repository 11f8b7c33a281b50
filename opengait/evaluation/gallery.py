"""Tracklets under evaluation, and the small steps that the protocols share."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait.evaluation.distance import cuda_dist
from opengait.evaluation.ranking import RankMetrics, rank_metrics

log = logging.getLogger("opengait")
SMALL_GALLERY = 50


@dataclass(frozen=True)
class Tracklets:
    """Descriptors `[n, c, p]` with their labels, types and views, arrays of n strings."""

    embeddings: Any
    labels: np.ndarray
    types: np.ndarray
    views: np.ndarray

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Tracklets":
        """Take an evaluator's `data`.

        Raises:
            DataError: a part is missing, or the parts differ in length.
        """
        missing = [key for key in ("embeddings", "labels", "types", "views") if key not in data]
        if missing:
            raise DataError(
                f"The evaluator needs `{missing[0]}`, but the model's inference_feat and the data set gave "
                f"{', '.join(sorted(data))}."
            )
        columns = [np.asarray(data[key], dtype=np.str_) for key in ("labels", "types", "views")]
        lengths = [len(data["embeddings"]), *map(len, columns)]
        if len(set(lengths)) > 1:
            raise DataError(f"There are {lengths} embeddings, labels, types and views; the counts must agree.")
        return cls(data["embeddings"], *columns)

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: np.ndarray) -> "Tracklets":
        """Those whose entry in the bool array `mask` is set."""
        return Tracklets(self.embeddings[mask], self.labels[mask], self.types[mask], self.views[mask])


def compare(
    probe: Tracklets, gallery: Tracklets, metric: str, drop_same_view: bool = False, max_rank: int = 20
) -> RankMetrics:
    """Rank the gallery for every probe; `drop_same_view` removes the probe's own id in its own view."""
    return rank_metrics(
        cuda_dist(probe.embeddings, gallery.embeddings, metric),
        probe.labels,
        gallery.labels,
        probe.views,
        gallery.views,
        drop_same_camera=drop_same_view,
        max_rank=max_rank,
    )


def rank_percent(metrics: RankMetrics, rank: int) -> float:
    """Probes with a match among the first `rank`, in % of all probes, rounded to 2 digits; NaN without probes.

    Probes whose id is not in the gallery count as missed here, as in OpenGait's protocols by view.
    """
    if metrics.queries == 0:
        return float("nan")
    found = int(((metrics.first_hit > 0) & (metrics.first_hit <= rank)).sum())
    return float(np.round(found * 100 / metrics.queries, 2))


def without_diagonal(matrix: np.ndarray) -> np.ndarray:
    """Row means of a views x views matrix over the other views; pairs that could not be measured (NaN) are left out.

    A row without any measured pair gives NaN. With a single view its own value is all there is.
    """
    if len(matrix) <= 1:
        return matrix.reshape(-1)
    if not np.isnan(matrix).any():
        # In OpenGait's order of summation, so that printed digits agree.
        return (matrix.sum(axis=1) - matrix.diagonal()) / (len(matrix) - 1)
    others = ~np.eye(len(matrix), dtype=bool) & ~np.isnan(matrix)
    count = others.sum(axis=1)
    sums = np.where(others, matrix, 0).sum(axis=1)
    return np.divide(sums, count, out=np.full(len(matrix), np.nan), where=count > 0)


def mean_of_known(values: np.ndarray | Sequence[float]) -> float:
    """The mean of what could be measured; 0 if nothing could."""
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if known.size else 0.0


def tell_unmeasured(by_view: Mapping[str, np.ndarray], views: Sequence[str]) -> None:
    """One line that names the conditions whose value from some view is NaN, if there are any."""
    gaps = []
    for condition, values in by_view.items():
        lost = [str(view) for view, value in zip(views, values, strict=True) if np.isnan(value)]
        if len(lost) == len(views):
            gaps.append(f"{condition} has none and counts as 0")
        elif lost:
            gaps.append(f"{condition} has none from view {', '.join(lost)}, left out of its mean")
    if gaps:
        log.warning("Some probes or their gallery are missing: %s.", "; ".join(gaps))


def note_small(gallery: Sequence) -> None:
    """The line that OpenGait prints when a gallery is small."""
    if len(gallery) < SMALL_GALLERY:
        print(f"Note: number of gallery samples is quite small, got {len(gallery)}")


def protocol_of(table: dict[str, Any], dataset: str, evaluator: str) -> Any:
    """The entry of a data set in an evaluator's table.

    Raises:
        ConfigError: the evaluator does not know the data set.
    """
    if dataset not in table:
        raise ConfigError(
            f"{evaluator} does not know data_cfg.test_dataset_name {dataset!r}; it knows {', '.join(table)}."
        )
    return table[dataset]


def need_both(probe: Sequence, gallery: Sequence, wanted: str) -> None:
    """Raise a DataError unless there is something to look for and something to find it in."""
    if not len(probe) or not len(gallery):
        raise DataError(_counts(probe, gallery, wanted))


def tell_if_empty(probe: Sequence, gallery: Sequence, wanted: str) -> None:
    """Warn that a protocol's numbers will be 0, where there is nothing to look for or nothing to find it in.

    No error: a test during a long training must not end it.
    """
    if not len(probe) or not len(gallery):
        log.warning("%s The numbers below are 0.", _counts(probe, gallery, wanted))


def _counts(probe: Sequence, gallery: Sequence, wanted: str) -> str:
    return f"There are {len(probe)} probes and {len(gallery)} gallery tracklets; check {wanted}."


def percent_array(values: np.ndarray) -> str:
    """Numbers with two digits in brackets, as OpenGait logs them; `-` for what could not be measured."""
    digits = {"float_kind": lambda value: "-" if np.isnan(value) else f"{value:0.2f}"}
    return np.array2string(np.asarray(values, dtype=np.float64), formatter=digits)
