"""Percentile bootstrap intervals: of the metrics of one test, and of means over tests of several seeds.

For one test, each bootstrap sample draws as many queries as there are, with replacement, and averages the metrics over
them. The interval covers the middle 95% of 1,000 such means. The gallery, the model and the identities of the dataset
stay the same, so an interval does not cover the variation between training runs. Intervals over queries are somewhat
too narrow, because queries of one person resemble each other; with groups, whole groups (such as people) are drawn.

For several seeds, each sample draws as many seeds as there are, with replacement, and for every seed drawn as many of
its people as there are, with all their queries. An interval of a difference comes from the differences per query of two
methods, so both get the same draws. Two or three seeds vary less than the trainings that they stand for. Therefore, the
deviations of the seeds from their mean are stretched like those of a t-interval, after the part that the draw of people
explains was taken out of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opengait.evaluation.ranking import RankMetrics
from opengait_ext.evaluation.metrics import RANKS

RESAMPLES = 1000
LEVEL = 0.95
# Draws per block.
_BLOCK = 2**22

# Quantiles of the t distribution at (1 + LEVEL) / 2 for 1, 2, ... degrees of freedom, and that of the normal one.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
_NORMAL = 1.960

Interval = tuple[float, float]


def intervals_of(
    metrics: RankMetrics,
    groups: Sequence[str] | np.ndarray | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval] | None:
    """Return the intervals of Rank-1, 5, 10, 20, mAP and mINP of one direction.

    Args:
        metrics: the metrics per query.
        groups: `[queries]`, a key per query; queries with equal keys are drawn together. None draws single queries.
        resamples: number of bootstrap samples.
        level: share of the samples that an interval covers.
        seed: seed of the draws; equal arguments give equal intervals.

    Returns:
        (low, high) for each of the keys `rank1 ... minp`, as fractions; None if there are no valid queries.
    """
    valid = metrics.first_hit > 0
    if not valid.any():
        return None
    values = np.column_stack(
        [
            *((metrics.first_hit[valid] <= rank).astype(np.float64) for rank in RANKS),
            metrics.ap[valid],
            metrics.inp[valid],
        ]
    )
    numbers = np.arange(len(values))
    if groups is not None:
        numbers = np.unique(np.asarray(groups)[valid], return_inverse=True)[1].reshape(-1)
    means = bootstrap_means(values, numbers, resamples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    names = [*(f"rank{rank}" for rank in RANKS), "map", "minp"]
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def bootstrap_means(values: np.ndarray, groups: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Return the means of the values over randomly drawn groups.

    Args:
        values: float `[n, k]`.
        groups: int `[n]`, the group of each row, from 0 to the number of groups - 1.

    Returns:
        `[resamples, k]`: means over the rows of the drawn groups. Each sample draws as many groups as there are, with
        replacement; a group that is drawn twice counts twice.
    """
    count = int(groups.max()) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, groups, values)
    sizes = np.bincount(groups, minlength=count).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, _BLOCK // count)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        means[start : start + rows] = (times @ sums) / (times @ sizes)[:, None]
    return means


@dataclass(frozen=True)
class QueryValues:
    """Values per query in one direction of a test.

    Attributes:
        values: float `[queries, k]`, such as whether the first match has rank 1, or the average precision; or the
            differences of two methods.
        groups: `[queries]`, keys of the groups that are drawn, such as people.
    """

    values: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class SeedMeans:
    """Means over seeds, each with the 95% interval; all arrays are `[directions + 1, k]`, last the mean of directions.

    Attributes:
        mean, low, high: the mean over the seeds, and its interval.
        spread: standard deviation over the seeds; NaN for one seed.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spread: np.ndarray


def means_over_seeds(
    tests: Sequence[Sequence[QueryValues]], same_people: bool, resamples: int = RESAMPLES, seed: int = 0
) -> SeedMeans:
    """Return means over seeds with bootstrap intervals over seeds and queries.

    With one seed, an interval does not cover the variation between trainings.

    Args:
        tests: for each seed, the values of each direction; the k values are the same everywhere.
        same_people: all seeds are tested on the same people, which are then drawn once per sample for all seeds.
        resamples: number of bootstrap samples.
        seed: seed of the draws.
    """
    keys = [np.unique(np.concatenate([direction.groups for direction in test])) for test in tests]
    if same_people:
        keys = [np.unique(np.concatenate(keys))] * len(tests)
    seeds = len(tests)
    rng = np.random.default_rng(seed)
    slots = rng.integers(0, seeds, (resamples, seeds))
    measured: list[np.ndarray] = []
    variances: list[np.ndarray] = []
    deviations = np.zeros((resamples, seeds, len(tests[0]) + 1, tests[0][0].values.shape[1]))
    times: np.ndarray | None = None
    for number, (test, names) in enumerate(zip(tests, keys, strict=True)):
        if times is None or not same_people:
            times = _times_drawn(rng, (resamples, 1 if same_people else seeds), len(names))
        everyone = _direction_means(test, names, np.ones((1, 1, len(names))))[0, 0]
        drawn = _direction_means(test, names, times) - everyone
        # A draw may hold no query of a direction.
        drawn = np.where(np.isnan(drawn), 0.0, drawn)
        measured.append(everyone)
        variances.append(drawn.var(axis=(0, 1)))
        deviations = np.where((slots == number)[..., None, None], drawn, deviations)
    by_seed = np.stack(measured)
    mean = by_seed.mean(axis=0)
    spread = by_seed.std(axis=0, ddof=1) if seeds > 1 else np.full_like(mean, np.nan)
    explained = np.zeros_like(mean) if same_people else np.mean(variances, axis=0)
    samples = mean + deviations.mean(axis=1)
    if seeds > 1:
        samples = samples + _stretch(spread, explained, seeds) * (by_seed[slots].mean(axis=1) - mean)
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return SeedMeans(mean, low, high, spread)


def _times_drawn(rng: np.random.Generator, shape: tuple[int, int], count: int) -> np.ndarray:
    """Draw `count` of `count` groups with replacement; return how often each was drawn, `[*shape, count]`."""
    rows = math.prod(shape)
    drawn = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * count).reshape(*shape, count).astype(np.float64)


def _direction_means(test: Sequence[QueryValues], names: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the means over the drawn groups' queries, `[..., directions + 1, k]`; NaN without queries.

    Args:
        names: the groups, sorted.
        times: how often each was drawn, `[..., groups]`.
    """
    means = []
    for direction in test:
        groups = np.searchsorted(names, direction.groups)
        sums = np.zeros((len(names), direction.values.shape[1]))
        np.add.at(sums, groups, direction.values)
        counts = times @ np.bincount(groups, minlength=len(names)).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means.append((times @ sums) / counts[..., None])
    return np.stack([*means, np.mean(means, axis=0)], axis=-2)


def _stretch(spread: np.ndarray, explained: np.ndarray, seeds: int) -> np.ndarray:
    """Return the factor of the seeds' deviations from their mean.

    Args:
        spread: standard deviation over the seeds.
        explained: part of its square that is due to the draw of people.
        seeds: number of seeds, at least 2.
    """
    freedom = seeds - 1
    quantile = _T[freedom - 1] if freedom <= len(_T) else _NORMAL + 2.72 / freedom
    share = np.clip(1 - explained / np.maximum(spread**2, np.finfo(float).tiny), 0, 1)
    return np.asarray(np.sqrt(share * seeds / freedom) * quantile / _NORMAL)
