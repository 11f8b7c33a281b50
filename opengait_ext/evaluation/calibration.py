"""What a distance means: the false-positive rate of a search, and the probability of the same person.

For a pair of modalities (query, gallery), both are learned from tracklets of known people.

**FPIR of a gallery of n.** Let x_1 <= ... <= x_M be the distances of a query to the M gallery tracklets of other
people. The nearest of n tracklets drawn from these at random is x_j with probability C(M - j, n - 1) / C(M, n). The
mean of this distribution over the Q queries is FPIR(n, T), without assumptions about its form, and whatever makes some
queries near everybody. One false positive is counted on top, (Q FPIR + 1) / (Q + 1), as in a conformal p-value: if the
next non-mated search is exchangeable with the Q, it is a false positive at most as often as stated. Below the rate of
about one search, the distribution is continued by an exponential, whose scale is the mean excess in its lowest tenth;
distances have a lower bound, so the true tail is lighter.

**Larger galleries.** For n > M, FPIR(n, T) <= 1 - (1 - FPIR(M, T))^(n/M). Given the query, parts of a gallery are
independent, and E[p^k] >= E[p]^k by Jensen's inequality.

**Probability.** With probability PRIOR the person is in the gallery once, at a distance of density g. The nearest of n
tracklets, at distance d, is the person with density PRIOR g(d) (1 - F_(n-1)(d)), and it is a stranger with density
(1 - PRIOR) f_n(d) + PRIOR f_(n-1)(d) (1 - G(d)), where F_n(d) = FPIR(n, d). Logistic regression gives the logarithm of
the odds, offset - weight d, for each n. Beyond M, strangers become denser as n, so the offset falls by log(n / M).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opengait.errors import DataError

LEVELS = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.9)
# The assumed share of queries whose person is in the gallery.
PRIOR = 0.5
# Fewest people and queries that say anything about others.
LEAST_PEOPLE, LEAST_QUERIES = 4, 8
# Part of the distribution that its exponential continuation is fitted to, as a rate and as a number of searches.
_TAIL, _TAIL_SEARCHES = 0.1, 5
# Bins of the distance that the probability is fitted to.
_BINS = 1000
# Median absolute deviation of the standard normal distribution.
_MAD = 0.6744897501960817


@dataclass(frozen=True)
class PairCalibration:
    """Calibration of one pair of modalities.

    Attributes:
        people, queries: numbers of people and of queries that it was learned from.
        sizes: `[k]`, ascending sizes of galleries in tracklets; the last is that of the calibration's own gallery.
        distances: `[k, len(LEVELS)]`, distance at which a gallery of each size has each FPIR of `LEVELS`.
        median, spread: median and normalised median absolute deviation of the distances between different people.
        offsets, weights: `[k]`, of the logarithm of the odds that the nearest tracklet of a gallery of each size is the
            person, offset - weight * distance.
    """

    people: int
    queries: int
    sizes: np.ndarray
    distances: np.ndarray
    median: float
    spread: float
    offsets: np.ndarray
    weights: np.ndarray

    def distance_at(self, level: float, size: int) -> float:
        """Return the largest distance whose FPIR in a gallery of `size` tracklets is at most `level`."""
        row, level = self._row(size), self._level_of_own_size(level, size)
        return float(_line(np.log(level), np.log(LEVELS), row))

    def fpir(self, distance: np.ndarray, size: int) -> np.ndarray:
        """Return the FPIR of a gallery of `size` tracklets if distances up to each of these are accepted."""
        # Equal entries would make the inverse ambiguous.
        row = self._row(size) + 1e-12 * self.spread * np.arange(len(LEVELS))
        rate = np.exp(np.minimum(_line(np.asarray(distance, dtype=np.float64), row, np.log(LEVELS)), 0.0))
        own = float(self.sizes[-1])
        return np.asarray(-np.expm1(size / own * np.log1p(-np.minimum(rate, 1 - 1e-16))) if size > own else rate)

    def probability(self, distance: float, size: int) -> float:
        """Return the probability that the nearest of `size` tracklets, at this distance, shows the query's person."""
        logs, at = np.log(self.sizes), np.log(max(size, 1))
        offset, weight = np.interp(at, logs, self.offsets), np.interp(at, logs, self.weights)
        logit = offset - weight * distance - max(0.0, at - logs[-1])
        return float(0.5 * (1 + np.tanh(0.5 * logit)))

    def adapted(self, distances: np.ndarray) -> "PairCalibration":
        """Return the calibration for other footage, given distances between its tracklets, without names.

        The distribution of distances between different people is taken to have the same form at another place and
        scale, those of its median and median absolute deviation; a few pairs of the same person hardly matter.

        Raises:
            DataError: half of the distances are equal.
        """
        median, spread = location_and_scale(distances)
        if not min(spread, self.spread) > 0:
            raise DataError("Most tracklets are equally far from each other, so nothing can be learned from them.")
        scale = spread / self.spread
        return replace(
            self,
            distances=median + (self.distances - self.median) * scale,
            median=median,
            spread=spread,
            weights=self.weights / scale,
            offsets=self.offsets + self.weights * (median / scale - self.median),
        )

    def _row(self, size: int) -> np.ndarray:
        """Return the distances at `LEVELS` for a size, interpolated in its logarithm."""
        logs, at = np.log(self.sizes), np.log(np.clip(size, 1, self.sizes[-1]))
        return np.array([np.interp(at, logs, column) for column in self.distances.T])

    def _level_of_own_size(self, level: float, size: int) -> float:
        own = float(self.sizes[-1])
        return float(-np.expm1(np.log1p(-level) * own / size)) if size > own else level


def fit_pair(
    distance: np.ndarray, query_people: np.ndarray, gallery_people: np.ndarray, removed: np.ndarray | None = None
) -> PairCalibration:
    """Learn a calibration from tracklets of known people.

    Args:
        distance: `[queries, gallery]`.
        query_people, gallery_people: identities.
        removed: bool `[queries, gallery]`, pairs of the same person that do not count, as by the camera rule.

    Raises:
        DataError: there are too few people, queries or pairs of one person.
    """
    same = query_people[:, None] == gallery_people
    genuine = distance[same if removed is None else same & ~removed]
    strangers = np.sort(np.where(same, np.inf, distance), axis=1)
    counts = np.isfinite(strangers).sum(axis=1)
    strangers, counts = strangers[counts > 0].astype(np.float64), counts[counts > 0]
    people = len(np.union1d(query_people, gallery_people))
    if people < LEAST_PEOPLE or len(counts) < LEAST_QUERIES or not len(genuine):
        raise DataError(
            f"A calibration needs at least {LEAST_PEOPLE} people, {LEAST_QUERIES} queries and two tracklets of one "
            f"person; got {people} people, {len(counts)} queries and {len(genuine)} pairs."
        )
    own = int(counts.min())
    sizes = np.unique(np.append(2 ** np.arange(int(np.log2(own)) + 1), own))
    pairs = strangers[np.isfinite(strangers)]
    order = pairs.argsort(kind="stable")
    pairs = pairs[order]
    edges = np.linspace(min(pairs[0], genuine.min()), max(pairs[-1], genuine.max()), _BINS + 1)
    mates = np.histogram(genuine, edges)[0] / len(genuine)
    rows, odds = [], []
    for size in sizes:
        weights = _weights(counts, int(size))[order]
        rows.append(_quantiles(pairs, weights, len(counts)))
        nearest = np.histogram(pairs, edges, weights=weights)[0] / len(counts)
        odds.append(_odds(edges, mates, nearest, len(genuine), int(size)))
    offsets, slopes = np.array(odds).T
    # A larger gallery never has a smaller rate; fitted tails may cross.
    table = np.minimum.accumulate(np.stack(rows), axis=0)
    return PairCalibration(people, len(counts), sizes, table, *location_and_scale(pairs), offsets, slopes)


def location_and_scale(values: np.ndarray) -> tuple[float, float]:
    """Return the median, and the median absolute deviation divided by that of the standard normal distribution."""
    median = float(np.median(values))
    return median, float(np.median(np.abs(values - median))) / _MAD


def _weights(counts: np.ndarray, size: int) -> np.ndarray:
    """Return, for each query and rank j, the probability that the nearest of `size` strangers is the j-th; flat.

    Args:
        counts: numbers of strangers of each query, at least `size`.
    """

    def of(count: int) -> np.ndarray:
        # C(M - j, n - 1) / C(M, n), by the ratio of successive terms (M - j - n + 1) / (M - j), in logarithms.
        j = np.arange(1, count - size + 1)
        logs = np.log(size / count) + np.concatenate([[0.0], np.cumsum(np.log((count - j - size + 1) / (count - j)))])
        return np.concatenate([np.exp(logs), np.zeros(size - 1)])

    by_count: dict[int, np.ndarray] = {count: of(count) for count in set(counts.tolist())}
    return np.concatenate([by_count[count] for count in counts.tolist()])


def _quantiles(ascending: np.ndarray, weights: np.ndarray, queries: int) -> np.ndarray:
    """Return the distances at `LEVELS` of the distribution with these weights, whose sum is the number of queries."""
    # The rate at a distance counts all that are equal to it.
    last = np.append(ascending[1:] != ascending[:-1], True)
    seen = np.cumsum(weights)[last]
    points = ascending[last]
    rate = (seen + 1) / (queries + 1) - 1e-9  # rounding
    quantiles = points[np.maximum(np.searchsorted(rate, LEVELS, side="right") - 1, 0)]
    start = min(int(np.searchsorted(seen, 1.0)), len(points) - 1)
    end = min(int(np.searchsorted(rate, max(_TAIL, (_TAIL_SEARCHES + 1) / (queries + 1)))), len(points) - 1)
    mass = np.diff(seen[: end + 1], prepend=0.0)
    scale = float((mass * (points[end] - points[: end + 1])).sum() / mass.sum())
    levels = np.asarray(LEVELS)
    # Strictly below the first distance, even if all are equal.
    tail = np.nextafter(points[start] + scale * np.log(levels / rate[start]), -np.inf)
    return np.where(levels < rate[start], tail, quantiles)


def _odds(edges: np.ndarray, mates: np.ndarray, nearest: np.ndarray, pairs: int, size: int) -> tuple[float, float]:
    """Return offset and weight of the logarithm of the odds that the nearest tracklet is the person.

    Args:
        edges: `[b + 1]`, of bins of the distance.
        mates: `[b]`, distribution of the distances to the same person.
        nearest: `[b]`, distribution of the distances to the nearest stranger.
        pairs: number of distances to the same person.
        size: of the gallery.
    """
    centres = (edges[1:] + edges[:-1]) / 2
    # With the person in the gallery, the others are one fewer: 1 - F of n - 1 is (1 - F of n)^((n - 1) / n).
    beyond = np.append(1.0, (1 - np.cumsum(nearest)).clip(min=0)) ** (1 - 1 / size)
    right = PRIOR * mates * (beyond[1:] + beyond[:-1]) / 2
    wrong = (1 - PRIOR) * nearest + PRIOR * (beyond[:-1] - beyond[1:]) * (1 - np.cumsum(mates) + mates / 2).clip(min=0)
    total = right + wrong
    mean = float(total @ centres / total.sum())
    scale = float(np.sqrt(total @ (centres - mean) ** 2 / total.sum())) or 1.0
    design = np.column_stack([np.ones(len(centres)), (centres - mean) / scale])
    # Keeps the slope finite if the two are separated.
    penalty = np.array([1e-9, 1e-2 / pairs])
    beta = np.zeros(2)
    for _ in range(100):
        p = 0.5 * (1 + np.tanh(0.5 * (design @ beta)))
        gradient = design.T @ (total * p - right) + penalty * beta
        curvature = (design * (total * p * (1 - p))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        # Newton's steps are long where both are almost separated.
        beta -= step * min(1.0, 2 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    slope = min(float(beta[1]), 0.0)
    return float(beta[0]) - slope * mean / scale, -slope / scale


def _line(at: Any, known: np.ndarray, values: np.ndarray) -> Any:
    """Interpolate linearly, continue the first segment below, and stay at the last value above."""
    slope = (values[1] - values[0]) / (known[1] - known[0]) if known[1] > known[0] else 0.0
    return np.where(at < known[0], values[0] + slope * (at - known[0]), np.interp(at, known, values))
