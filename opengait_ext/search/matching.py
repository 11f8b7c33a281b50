"""The gallery tracklets nearest to a query, and a decision whether the person is in the gallery at all.

Distances cannot be judged by their absolute values: networks differ in scale, and infrared queries are farther from
everyone. Each query's distances to the gallery tracklets of one modality are therefore standardised by their own median
and median absolute deviation, which a few true matches barely affect; the standardised distance is the score z. If all
n tracklets of the modality were strangers with normally distributed distances, one of them would score below z with
probability F(z), where F is Student's t distribution because the spread is estimated, and the nearest of n with
probability 1 - (1 - F(z))^n. This is the p-value; if it is above the level, the answer is "no match".
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait_ext.search.descriptors import Descriptors

# Difference of two descriptors, as a share of their length, that rounding explains.
DUPLICATE = 1e-4
# Fewer tracklets per modality are too few to estimate the spread.
LEAST = 8
# Median absolute deviation of the standard normal distribution.
_MAD = 0.6744897501960817
# Statistical efficiency of the median absolute deviation relative to the standard deviation.
_EFFICIENCY = 0.37


@dataclass(frozen=True)
class Candidate:
    """A gallery tracklet near a query.

    Attributes:
        place: its index in the gallery.
        name, modality: its name and modality.
        distance: its distance to the query.
        p_value: the probability that the nearest of a gallery of strangers is as near; None if the gallery has too few
            tracklets of the modality.
    """

    place: int
    name: str
    modality: str
    distance: float
    p_value: float | None


@dataclass(frozen=True)
class QueryResult:
    """The result of one query.

    Attributes:
        query, modality: name and modality of the query.
        candidates: the nearest gallery tracklets, nearest first.
        somebody: whether the gallery holds the person; None if that cannot be decided.
        undecided: why it cannot.
    """

    query: str
    modality: str
    candidates: tuple[Candidate, ...]
    somebody: bool | None
    undecided: str | None = None


def search(
    gallery: Descriptors, queries: Descriptors, top: int = 10, level: float = 0.05, metric: str = "euc"
) -> list[QueryResult]:
    """Rank the gallery for each query.

    Args:
        gallery, queries: descriptors of the same network.
        top: candidates per query.
        level: the probability of reporting a match for a person who is not in the gallery.
        metric: "euc" or "cos", the metric that the network was tested with.

    Raises:
        DataError: the networks differ, or the gallery is empty.
    """
    check_gallery(gallery, queries.checkpoint, queries.checkpoint_sha256)
    distance = cuda_dist(torch.from_numpy(queries.embeddings), torch.from_numpy(gallery.embeddings), metric)
    results = []
    rows = zip(distance.cpu().double().numpy(), queries.embeddings, queries.names, queries.types, strict=True)
    for row, query, name, modality in rows:
        p = p_values(row, gallery.types)
        order = np.argsort(row, kind="stable")[:top]
        # If even the farthest tracklet equals the query, all are one point, and being equal says nothing.
        if not is_same(query, gallery.embeddings[row.argmax()]):
            p[[index for index in order if is_same(query, gallery.embeddings[index])]] = 0
        candidates = tuple(
            Candidate(
                place=int(index),
                name=str(gallery.names[index]),
                modality=str(gallery.types[index]),
                distance=float(row[index]),
                p_value=None if np.isnan(p[index]) else float(p[index]),
            )
            for index in order
        )
        known = ~np.isnan(p)
        # Bonferroni correction: each modality is a separate test.
        tests = len(set(gallery.types[known]))
        somebody = bool(p[known].min() * tests <= level) if known.any() else None
        undecided = None if known.any() else _reason(gallery.types)
        results.append(QueryResult(str(name), str(modality), candidates, somebody, undecided))
    return results


def check_gallery(gallery: Descriptors, checkpoint: str | Path, sha256: str) -> None:
    """Check that a gallery has tracklets, described by a checkpoint.

    Raises:
        DataError: it is empty, or another checkpoint described it.
    """
    if gallery.checkpoint_sha256 != sha256:
        raise DataError(
            f"Gallery and queries were described by different checkpoints ({gallery.checkpoint} and {checkpoint}); "
            f"describe both with one."
        )
    if not len(gallery):
        raise DataError("The gallery is empty.")


def is_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two descriptors (c, p) are equal up to rounding, as those of the same frames are."""
    return bool(np.linalg.norm(one - other) <= DUPLICATE * np.linalg.norm(one))


def _reason(types: np.ndarray) -> str:
    """Return why no tracklet of a gallery has a p-value."""
    counts = {str(modality): int((types == modality).sum()) for modality in np.unique(types)}
    listed = " and ".join(f"{count} {modality}" for modality, count in counts.items())
    if max(counts.values()) < LEAST:
        return f"the gallery has {listed} tracklets, fewer than {LEAST} of a modality"
    return f"most of the gallery's {listed} tracklets are equally far from the query"


def p_values(distances: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Return the p-value of each gallery tracklet for one query; NaN where it cannot be judged.

    That is so if its modality has fewer than `LEAST` tracklets, or if most of them are equally far.

    Args:
        distances: (n), distances of the query to the gallery.
        types: n modalities.
    """
    p = np.full(len(distances), np.nan)
    for modality in np.unique(types):
        same = types == modality
        count = int(same.sum())
        if count < LEAST:
            continue
        median = np.median(distances[same])
        spread = np.median(np.abs(distances[same] - median)) / _MAD
        if spread > 0:
            scores = (distances[same] - median) / spread
            single = student_t_cdf(scores, max(1.0, _EFFICIENCY * (count - 1)))
            p[same] = -np.expm1(count * np.log1p(-np.minimum(single, 1 - 1e-16)))
    return p


def student_t_cdf(scores: np.ndarray, freedom: float) -> np.ndarray:
    """Return the distribution function of Student's t.

    The substitution t = sqrt(freedom) tan(angle) turns its integral into that of cos(angle)^(freedom - 1).
    """
    angles = np.arctan(scores / math.sqrt(freedom))
    steps = np.linspace(0, 1, 2049)
    weights = np.full(2049, 1 / 2048)
    weights[[0, -1]] /= 2  # the trapezoidal rule

    def area(end: np.ndarray) -> np.ndarray:
        width = end[:, None] + math.pi / 2
        return (np.cos(width * steps - math.pi / 2).clip(min=0) ** (freedom - 1)) @ weights * width[:, 0]

    return area(angles) / area(np.array([math.pi / 2]))
