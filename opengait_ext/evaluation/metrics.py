"""Retrieval numbers of one direction, and what guessing would give."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch

from opengait.evaluation.ranking import RankMetrics, rank_metrics

RANKS = (1, 5, 10, 20)

Ids = Sequence | np.ndarray | torch.Tensor
Distance = torch.Tensor | np.ndarray | Callable[[int, int], torch.Tensor]


def cross_modal_metrics(
    distance: Distance,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids | None,
    gallery_cameras: Ids | None,
    camera_rule: bool,
) -> dict[str, float | int]:
    """CMC, mAP and mINP over the queries that have a match; ties keep gallery order.

    Args:
        distance: `[queries, gallery]`, smaller is nearer, or a function giving its rows `start` to `stop`.
        query_ids, gallery_ids: identities, `[queries]` and `[gallery]`.
        query_cameras, gallery_cameras: cameras; not looked at without the rule.
        camera_rule: remove gallery tracklets of the query's identity and camera number.

    Returns:
        `rank1 rank5 rank10 rank20 map minp` as fractions of 1, and the counts `queries`, `valid_queries` (those with a
        match left, the denominator of all the means) and `gallery`. Without a valid query the fractions are 0.

    Raises:
        DataError: counts that do not fit each other, or distances that are not numbers.
    """
    return numbers_of(rank(distance, query_ids, gallery_ids, query_cameras, gallery_cameras, camera_rule))


def rank(
    distance: Distance,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids | None,
    gallery_cameras: Ids | None,
    camera_rule: bool,
) -> RankMetrics:
    """What `cross_modal_metrics` sums up, with the numbers of every query."""
    return rank_metrics(
        distance,
        query_ids,
        gallery_ids,
        query_cameras,
        gallery_cameras,
        drop_same_camera=camera_rule,
        max_rank=RANKS[-1],
    )


def numbers_of(found: RankMetrics) -> dict[str, float | int]:
    """The numbers that `cross_modal_metrics` returns."""
    return {
        **{f"rank{rank}": float(found.cmc[rank - 1]) for rank in RANKS},
        "map": found.mean_ap,
        "minp": found.mean_inp,
        "queries": found.queries,
        "valid_queries": found.valid_queries,
        "gallery": found.gallery,
    }


def same_camera_pairs(query_ids: Ids, gallery_ids: Ids, query_cameras: Ids, gallery_cameras: Ids) -> np.ndarray:
    """Int `[queries]`: for each query, how many gallery tracklets have its identity and its camera number."""
    of_camera = Counter(zip(_as_list(gallery_ids), _as_list(gallery_cameras), strict=True))
    asked = zip(_as_list(query_ids), _as_list(query_cameras), strict=True)
    return np.array([of_camera[key] for key in asked], dtype=np.int64)


def chance_rank1(
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids | None,
    gallery_cameras: Ids | None,
    camera_rule: bool,
) -> float:
    """Expected Rank-1 of a random ranking: the mean over valid queries of matches / gallery tracklets not removed."""
    query_people, gallery_people = _as_list(query_ids), _as_list(gallery_ids)
    of_person = Counter(gallery_people)
    removed = [0] * len(query_people)
    if camera_rule:
        removed = same_camera_pairs(query_ids, gallery_ids, query_cameras, gallery_cameras).tolist()
    chances = [
        (of_person[person] - gone) / (len(gallery_people) - gone)
        for person, gone in zip(query_people, removed, strict=True)
        if of_person[person] > gone
    ]
    return float(np.mean(chances)) if chances else 0.0


def _as_list(values: Ids) -> list:
    return values.tolist() if isinstance(values, np.ndarray | torch.Tensor) else list(values)
