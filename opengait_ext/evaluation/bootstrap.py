"""Percentile bootstrap intervals of the metrics of one direction.

Each bootstrap sample draws as many queries as there are, with replacement, and averages the metrics over them. The
interval covers the middle 95% of 1,000 such means. The gallery, the model and the identities of the dataset stay the
same, so an interval does not cover the variation between training runs. Intervals over queries are somewhat too narrow,
because queries of one person resemble each other; with groups, whole groups (such as people) are drawn.
"""

from collections.abc import Sequence

import numpy as np

from opengait.evaluation.ranking import RankMetrics
from opengait_ext.evaluation.metrics import RANKS

RESAMPLES = 1000
LEVEL = 0.95
# Draws per block.
_BLOCK = 2**22

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
