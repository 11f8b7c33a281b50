"""How far the numbers of a direction would move with other queries: percentile bootstrap intervals.

Queries are drawn again with replacement, as many as there are, and the means taken anew; the interval holds the middle
95% of 1,000 such means. The gallery, the model and the identities in the data set stay what they are: an interval says
nothing about another training run. Queries of one person resemble each other, so intervals over queries are somewhat
too narrow; with groups, whole groups (such as people) are drawn instead.
"""

from collections.abc import Sequence

import numpy as np

from opengait.evaluation.ranking import RankMetrics
from opengait_ext.evaluation.metrics import RANKS

RESAMPLES = 1000
LEVEL = 0.95
# Draws held at once.
_BLOCK = 2**22

Interval = tuple[float, float]


def intervals_of(
    found: RankMetrics,
    groups: Sequence | np.ndarray | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval] | None:
    """Intervals of Rank-1, 5, 10, 20, mAP and mINP of one direction.

    Args:
        found: the ranking, with its numbers of every query.
        groups: `[queries]`, what is drawn together; None draws queries one by one.
        resamples: number of bootstrap samples.
        level: share of the samples that an interval holds.
        seed: of the draws; equal arguments give equal intervals.

    Returns:
        (low, high) for each of the keys `rank1 ... minp`, fractions of 1; None without a valid query.
    """
    valid = found.first_hit > 0
    if not valid.any():
        return None
    values = np.column_stack(
        [*((found.first_hit[valid] <= rank).astype(np.float64) for rank in RANKS), found.ap[valid], found.inp[valid]]
    )
    which = np.arange(len(values))
    if groups is not None:
        which = np.unique(np.asarray(groups)[valid], return_inverse=True)[1].reshape(-1)
    means = bootstrap_means(values, which, resamples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    names = [*(f"rank{rank}" for rank in RANKS), "map", "minp"]
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def bootstrap_means(values: np.ndarray, groups: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of the values of randomly drawn groups.

    Args:
        values: float `[n, k]`.
        groups: int `[n]`, from 0 to the number of groups - 1, the group of each row.

    Returns:
        `[resamples, k]`: each the mean over the rows of as many groups as there are, drawn with replacement; a group
        that is drawn twice counts twice.
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
