"""Retrieval metrics from distances: CMC, mAP and mINP, for tests, figures and reports alike.

For each query the gallery is sorted by distance, and items at equal distances keep the order of the gallery. Let
p1 < ... < pm be the 1-based ranks of the query's m matches. The query has a hit at rank k if p1 <= k, its average
precision is (1/m) sum_j j / pj, and its inverse negative penalty is m / pm. CMC, mAP and mINP are the means of these
over the queries that have a match.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opengait.errors import DataError

Ids = Sequence | np.ndarray | torch.Tensor
# Elements per block of distances; sorting and counting takes about 60 bytes per element.
_BLOCK = 2**24


@dataclass(frozen=True)
class RankMetrics:
    """Retrieval metrics of one ranking.

    Attributes:
        cmc: float64 `[max_rank]`, share of the valid queries with a match at rank k or before; 0 without valid queries.
        mean_ap, mean_inp: means over the valid queries; 0 without valid queries.
        queries, valid_queries, gallery: numbers of queries, of queries with a match, and of gallery items.
        ap: float64 `[queries]`, average precision per query, NaN for queries without a match.
        inp: float64 `[queries]`, inverse negative penalty per query, NaN for queries without a match.
        first_hit: int64 `[queries]`, 1-based rank of the first match per query, 0 for queries without a match.
    """

    cmc: np.ndarray
    mean_ap: float
    mean_inp: float
    queries: int
    valid_queries: int
    gallery: int
    ap: np.ndarray
    inp: np.ndarray
    first_hit: np.ndarray


def rank_metrics(
    distance: torch.Tensor | np.ndarray | Callable[[int, int], torch.Tensor],
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids | None = None,
    gallery_cameras: Ids | None = None,
    drop_same_camera: bool = False,
    max_rank: int = 20,
) -> RankMetrics:
    """Rank the gallery for every query, a block of queries at a time.

    Args:
        distance: `[queries, gallery]`, or a function `(start, stop)` that returns the rows in that range, for a matrix
            that does not fit in memory.
        query_ids, gallery_ids: identities, of one type.
        query_cameras, gallery_cameras: cameras (or views), required by `drop_same_camera`.
        drop_same_camera: remove gallery items with the query's identity and camera from its ranking.
        max_rank: length of the CMC curve, which stays constant beyond the size of the gallery.

    Raises:
        DataError: the counts do not match, or a distance is NaN.
    """
    query_ids, gallery_ids = _as_numbers(query_ids, gallery_ids)
    queries, gallery = len(query_ids), len(gallery_ids)
    cameras = None
    if drop_same_camera:
        if query_cameras is None or gallery_cameras is None:
            raise DataError("drop_same_camera needs the cameras of the queries and of the gallery.")
        cameras = _as_numbers(query_cameras, gallery_cameras)
        if (len(cameras[0]), len(cameras[1])) != (queries, gallery):
            raise DataError(
                f"Expected a camera for each of {queries} queries and {gallery} gallery items, got {len(cameras[0])} "
                f"and {len(cameras[1])}."
            )
    if not callable(distance):
        # torch does not accept numpy views with negative strides.
        distance = torch.as_tensor(np.ascontiguousarray(distance) if _is_reversed(distance) else distance)
        if tuple(distance.shape) != (queries, gallery):
            raise DataError(
                f"Expected distances of shape {(queries, gallery)} (queries, gallery), got {tuple(distance.shape)}."
            )

    matches = torch.zeros(queries, dtype=torch.int64)
    first, last = torch.zeros_like(matches), torch.zeros_like(matches)
    precision = torch.zeros(queries, dtype=torch.float64)
    step = max(1, _BLOCK // max(1, gallery))
    for start in range(0, queries if gallery else 0, step):
        rows = slice(start, min(start + step, queries))
        block = distance(rows.start, rows.stop) if callable(distance) else distance[rows]
        if torch.isnan(block).any():
            raise DataError("Some distances are NaN; check the model, whose descriptors are not finite.")
        hit, rank = _hits_and_ranks(block, query_ids[rows], gallery_ids, cameras and (cameras[0][rows], cameras[1]))
        matches[rows], first[rows], last[rows], precision[rows] = (value.cpu() for value in _count_matches(hit, rank))
    return _average(matches.numpy(), first.numpy(), last.numpy(), precision.numpy(), gallery, max_rank)


def _hits_and_ranks(
    block: torch.Tensor,
    query_ids: torch.Tensor,
    gallery_ids: torch.Tensor,
    cameras: tuple[torch.Tensor, torch.Tensor] | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matches (bool) and the ranks without removed items, sorted by distance, both `[q, g]`."""
    order = block.sort(dim=1, stable=True).indices
    hit = gallery_ids.to(order.device)[order] == query_ids.to(order.device)[:, None]
    if cameras is None:
        return hit, torch.arange(1, hit.shape[1] + 1, device=order.device).expand_as(hit)
    removed = hit & (cameras[1].to(order.device)[order] == cameras[0].to(order.device)[:, None])
    return hit & ~removed, (~removed).cumsum(dim=1)


def _count_matches(hit: torch.Tensor, rank: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return per row the number of matches, the first and last rank of a match (0 if none) and the summed precision."""
    matches_so_far = hit.cumsum(dim=1)
    matches = matches_so_far[:, -1]
    # The count of matches reaches its maximum at the last match.
    first_index = hit.to(torch.uint8).argmax(dim=1, keepdim=True)
    last_index = matches_so_far.argmax(dim=1, keepdim=True)
    any_match = matches > 0
    first = rank.gather(1, first_index)[:, 0] * any_match
    last = rank.gather(1, last_index)[:, 0] * any_match
    precision = torch.where(hit, matches_so_far.double() / rank.clamp(min=1), 0).sum(dim=1)
    return matches, first, last, precision


def _average(
    matches: np.ndarray, first: np.ndarray, last: np.ndarray, precision: np.ndarray, gallery: int, max_rank: int
) -> RankMetrics:
    valid = matches > 0
    ap, inp = np.full(len(matches), np.nan), np.full(len(matches), np.nan)
    ap[valid] = precision[valid] / matches[valid]
    inp[valid] = matches[valid] / last[valid]
    any_valid = bool(valid.any())
    hits = first[valid][None] <= np.arange(1, max_rank + 1)[:, None]
    return RankMetrics(
        cmc=hits.mean(axis=1, dtype=np.float64) if any_valid else np.zeros(max_rank),
        mean_ap=float(ap[valid].mean()) if any_valid else 0.0,
        mean_inp=float(inp[valid].mean()) if any_valid else 0.0,
        queries=len(matches),
        valid_queries=int(valid.sum()),
        gallery=gallery,
        ap=ap,
        inp=inp,
        first_hit=first,
    )


def _is_reversed(distance: torch.Tensor | np.ndarray) -> bool:
    return isinstance(distance, np.ndarray) and any(stride < 0 for stride in distance.strides)


def _as_numbers(query: Ids, gallery: Ids) -> tuple[torch.Tensor, torch.Tensor]:
    """Map the identities of both sides to common integers."""
    sides = [np.asarray(ids.cpu() if isinstance(ids, torch.Tensor) else ids) for ids in (query, gallery)]
    # An empty list becomes a float array, and concatenating floats would change the strings of the other side.
    filled = [ids for ids in sides if len(ids)]
    numbers = np.unique(np.concatenate(filled), return_inverse=True)[1] if filled else np.zeros(0)
    query_numbers, gallery_numbers = torch.from_numpy(numbers.reshape(-1).astype(np.int64)).split(list(map(len, sides)))
    return query_numbers, gallery_numbers
