"""Retrieval metrics of one direction, and the Rank-1 of chance."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from opengait.errors import DataError
from opengait.evaluation.ranking import Distance, RankMetrics, rank_metrics

RANKS = (1, 5, 10, 20)

Ids = Sequence[Any] | np.ndarray | torch.Tensor


def cross_modal_metrics(
    distance: Distance,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids | None,
    gallery_cameras: Ids | None,
    camera_rule: bool,
) -> dict[str, float | int]:
    """Return CMC, mAP and mINP over the queries that have a match; ties keep gallery order.

    Args:
        distance: `[queries, gallery]`, smaller is nearer, or a function `(start, stop)` that returns those rows.
        query_ids, gallery_ids: identities, `[queries]` and `[gallery]`.
        query_cameras, gallery_cameras: camera numbers; ignored without the camera rule.
        camera_rule: remove gallery tracklets with the identity and the camera number of the query.

    Returns:
        `rank1 rank5 rank10 rank20 map minp` as fractions, and the counts `queries`, `valid_queries` (queries with a
        match after the removal, over which all metrics are averaged) and `gallery`. Without valid queries the
        fractions are 0.

    Raises:
        DataError: the counts disagree, or a distance is NaN.
    """
    return summarise(rank(distance, query_ids, gallery_ids, query_cameras, gallery_cameras, camera_rule))


def rank(
    distance: Distance,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids | None,
    gallery_cameras: Ids | None,
    camera_rule: bool,
) -> RankMetrics:
    """Return the metrics that `cross_modal_metrics` summarises, with their values per query."""
    return rank_metrics(
        distance,
        query_ids,
        gallery_ids,
        query_cameras,
        gallery_cameras,
        drop_same_camera=camera_rule,
        max_rank=RANKS[-1],
    )


def summarise(metrics: RankMetrics) -> dict[str, float | int]:
    """Return the dictionary of `cross_modal_metrics`."""
    return {
        **{f"rank{rank}": float(metrics.cmc[rank - 1]) for rank in RANKS},
        "map": metrics.mean_ap,
        "minp": metrics.mean_inp,
        "queries": metrics.queries,
        "valid_queries": metrics.valid_queries,
        "gallery": metrics.gallery,
    }


def same_camera_pairs(query_ids: Ids, gallery_ids: Ids, query_cameras: Ids, gallery_cameras: Ids) -> np.ndarray:
    """Count, for each query, the gallery tracklets with its identity and camera number: int64 `[queries]`."""
    gallery = Counter(zip(_as_list(gallery_ids), _as_list(gallery_cameras), strict=True))
    queries = zip(_as_list(query_ids), _as_list(query_cameras), strict=True)
    return np.array([gallery[key] for key in queries], dtype=np.int64)


def chance_rank1(
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids | None,
    gallery_cameras: Ids | None,
    camera_rule: bool,
) -> float:
    """Return the expected Rank-1 of a random ranking.

    This is the mean over the valid queries of matches / gallery tracklets, without the removed tracklets.

    Raises:
        DataError: the camera rule lacks the cameras.
    """
    query_people, gallery_people = _as_list(query_ids), _as_list(gallery_ids)
    tracklets_of = Counter(gallery_people)
    removed = [0] * len(query_people)
    if camera_rule:
        if query_cameras is None or gallery_cameras is None:
            raise DataError("The camera rule needs the cameras of the queries and of the gallery.")
        removed = same_camera_pairs(query_ids, gallery_ids, query_cameras, gallery_cameras).tolist()
    chances = [
        (tracklets_of[person] - count) / (len(gallery_people) - count)
        for person, count in zip(query_people, removed, strict=True)
        if tracklets_of[person] > count
    ]
    return float(np.mean(chances)) if chances else 0.0


def _as_list(values: Ids) -> list[Any]:
    return list(values.tolist() if isinstance(values, np.ndarray | torch.Tensor) else values)
