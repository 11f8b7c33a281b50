"""Who in a gallery is like a query, and whether anybody is.

A distance alone says little: networks differ in scale, and infrared queries are farther from everybody. So each
query's distances to the gallery tracklets of one modality are measured against their own middle and spread (median and
median absolute deviation, which a few true matches do not move). That many deviations below the middle is the score z.
If all n tracklets of that modality were strangers with normally distributed distances, a single one would lie that far
below by chance with a probability F(z), where F is Student's t distribution, since the spread is only estimated; and
the nearest of n with 1 - (1 - F(z))^n. That is the p-value, and above the level the answer is "nobody here".
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait_ext.search.descriptors import Descriptors

# Fewer tracklets of a modality tell no spread.
LEAST = 8
# Median absolute deviation of a normal distribution, in standard deviations.
_MAD = 0.6744897501960817
# A median absolute deviation tells as much of the spread as a standard deviation of this share of the values.
_EFFICIENCY = 0.37


@dataclass(frozen=True)
class Candidate:
    """A gallery tracklet: its place, name and modality, the distance, and how unlikely so near a stranger is.

    Attributes:
        p_value: None where the gallery has too few tracklets of the modality to tell.
    """

    place: int
    name: str
    modality: str
    distance: float
    p_value: float | None


@dataclass(frozen=True)
class QueryResult:
    """What was found for a query.

    Attributes:
        candidates: the nearest, nearest first.
        somebody: whether the gallery holds the person; None where it is too small to tell.
    """

    query: str
    modality: str
    candidates: tuple[Candidate, ...]
    somebody: bool | None


def search(
    gallery: Descriptors, queries: Descriptors, top: int = 10, level: float = 0.05, metric: str = "euc"
) -> list[QueryResult]:
    """Rank the gallery for each query.

    Args:
        gallery, queries: of one network.
        top: candidates a query.
        level: the chance of naming somebody where nobody is.
        metric: "euc" or "cos", as the network was tested with.

    Raises:
        DataError: they are of different networks, or the gallery is empty.
    """
    if gallery.checkpoint_sha256 != queries.checkpoint_sha256:
        raise DataError(
            f"Gallery and queries were described by different checkpoints ({gallery.checkpoint} and "
            f"{queries.checkpoint}); describe both with one."
        )
    if not len(gallery):
        raise DataError("The gallery is empty.")
    distance = cuda_dist(torch.from_numpy(queries.embeddings), torch.from_numpy(gallery.embeddings), metric)
    distance = distance.cpu().double().numpy()
    results = []
    for row, name, modality in zip(distance, queries.names, queries.types, strict=True):
        chances = p_values(row, gallery.types)
        order = np.argsort(row, kind="stable")[:top]
        candidates = tuple(
            Candidate(
                int(place),
                str(gallery.names[place]),
                str(gallery.types[place]),
                float(row[place]),
                None if np.isnan(chances[place]) else float(chances[place]),
            )
            for place in order
        )
        known = chances[~np.isnan(chances)]
        # Each modality is a try of its own.
        tries = len({kind for kind, chance in zip(gallery.types, chances, strict=True) if not np.isnan(chance)})
        somebody = bool(known.min() * tries <= level) if len(known) else None
        results.append(QueryResult(str(name), str(modality), candidates, somebody))
    return results


def p_values(distances: np.ndarray, types: np.ndarray) -> np.ndarray:
    """The p-value of each gallery tracklet for one query; NaN where its modality has fewer than `LEAST` tracklets.

    Args:
        distances: (n), of the query to the gallery.
        types: n modalities.
    """
    chances = np.full(len(distances), np.nan)
    for kind in np.unique(types):
        of = types == kind
        count = int(of.sum())
        if count < LEAST:
            continue
        middle = np.median(distances[of])
        spread = np.median(np.abs(distances[of] - middle)) / _MAD
        if spread > 0:
            scores = (distances[of] - middle) / spread
            single = _student(scores, max(1.0, _EFFICIENCY * (count - 1)))
            chances[of] = -np.expm1(count * np.log1p(-np.minimum(single, 1 - 1e-16)))
    return chances


def _student(scores: np.ndarray, freedom: float) -> np.ndarray:
    """Student's t distribution function; t = sqrt(freedom) tan(angle) turns it into an integral of cos(angle)^(f-1)."""
    angles = np.arctan(scores / math.sqrt(freedom))
    steps = np.linspace(0, 1, 2049)
    weights = np.full(2049, 1 / 2048)
    weights[[0, -1]] /= 2  # the trapezoidal rule

    def area(end: np.ndarray) -> np.ndarray:
        width = end[:, None] + math.pi / 2
        return (np.cos(width * steps - math.pi / 2).clip(min=0) ** (freedom - 1)) @ weights * width[:, 0]

    return area(angles) / area(np.array([math.pi / 2]))
