"""Retrieval metrics from distances: CMC, mAP, mINP.

For a query, gallery items are ordered by distance, equal distances by gallery order. With the 1-based ranks
p1 < ... < pm of its m matches: a hit at rank k if p1 <= k; average precision (1/m) sum j / pj; inverse negative
penalty m / pm. Metrics are means over the queries that have a match.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opengait.errors import DataError

Ids = Sequence | np.ndarray | torch.Tensor
# Elements of one block of distances; sorting and counting it takes about 60 bytes an element.
_BLOCK = 2**24


@dataclass(frozen=True)
class RankMetrics:
    """What a ranking is worth.

    Attributes:
        cmc: float64 `[max_rank]`, share of valid queries with a match among the first k; all 0 without valid queries.
        mean_ap, mean_inp: means over valid queries; 0 without any.
        queries, valid_queries, gallery: counts.
        ap, inp: float64 `[queries]`, NaN where a query has no match.
        first_hit: int64 `[queries]`, 1-based rank of the first match, 0 where there is none.
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
        distance: `[queries, gallery]`, or a function giving its rows `start` to `stop`, so that a matrix too large
            for memory is never whole.
        query_ids, gallery_ids: identities, of any one type that compares.
        query_cameras, gallery_cameras: cameras (or views), wanted with `drop_same_camera`.
        drop_same_camera: remove gallery items with the query's identity and camera from its ranking.
        max_rank: length of the CMC curve; a gallery shorter than that has found all it can.

    Raises:
        DataError: counts that do not fit each other, or distances that are not numbers.
    """
    query_ids, gallery_ids = _as_numbers(query_ids, gallery_ids)
    queries, gallery = len(query_ids), len(gallery_ids)
    cameras = None
    if drop_same_camera:
        if query_cameras is None or gallery_cameras is None:
            raise DataError("Dropping items of the query's camera needs the cameras of queries and gallery.")
        cameras = _as_numbers(query_cameras, gallery_cameras)
        if (len(cameras[0]), len(cameras[1])) != (queries, gallery):
            raise DataError(
                f"{len(cameras[0])} and {len(cameras[1])} cameras do not fit {queries} queries and {gallery} items."
            )
    if not callable(distance):
        # torch takes no array that is a reversed view of another.
        distance = torch.as_tensor(np.ascontiguousarray(distance) if _is_reversed(distance) else distance)
        if tuple(distance.shape) != (queries, gallery):
            raise DataError(f"Distances {tuple(distance.shape)} do not fit {queries} queries and {gallery} items.")

    matches = torch.zeros(queries, dtype=torch.int64)
    first, last = torch.zeros_like(matches), torch.zeros_like(matches)
    precision = torch.zeros(queries, dtype=torch.float64)
    step = max(1, _BLOCK // max(1, gallery))
    for start in range(0, queries if gallery else 0, step):
        rows = slice(start, min(start + step, queries))
        block = distance(rows.start, rows.stop) if callable(distance) else distance[rows]
        if torch.isnan(block).any():
            raise DataError("Some distances are not numbers; the descriptors they come from are not finite.")
        hit, rank = _hits_and_ranks(block, query_ids[rows], gallery_ids, cameras and (cameras[0][rows], cameras[1]))
        matches[rows], first[rows], last[rows], precision[rows] = (value.cpu() for value in _summed(hit, rank))
    return _averaged(matches.numpy(), first.numpy(), last.numpy(), precision.numpy(), gallery, max_rank)


def _hits_and_ranks(
    block: torch.Tensor,
    query_ids: torch.Tensor,
    gallery_ids: torch.Tensor,
    cameras: tuple[torch.Tensor, torch.Tensor] | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """In the order of distance: which items match (bool), and their ranks without the removed ones, both `[q, g]`."""
    order = block.sort(dim=1, stable=True).indices
    hit = gallery_ids.to(order.device)[order] == query_ids.to(order.device)[:, None]
    if cameras is None:
        return hit, torch.arange(1, hit.shape[1] + 1, device=order.device).expand_as(hit)
    removed = hit & (cameras[1].to(order.device)[order] == cameras[0].to(order.device)[:, None])
    return hit & ~removed, (~removed).cumsum(dim=1)


def _summed(hit: torch.Tensor, rank: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Of each row: number of matches, first and last rank of one (0 if none), sum of the precisions at matches."""
    found = hit.cumsum(dim=1)
    matches = found[:, -1]
    # The first and the last match are where the count of matches reaches 1 and its end.
    first_place = hit.to(torch.uint8).argmax(dim=1, keepdim=True)
    last_place = found.argmax(dim=1, keepdim=True)
    any_match = matches > 0
    first = rank.gather(1, first_place)[:, 0] * any_match
    last = rank.gather(1, last_place)[:, 0] * any_match
    precision = torch.where(hit, found.double() / rank.clamp(min=1), 0).sum(dim=1)
    return matches, first, last, precision


def _averaged(
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
    """The same whole number for the same identity on both sides."""
    query, gallery = (np.asarray(ids.cpu() if isinstance(ids, torch.Tensor) else ids) for ids in (query, gallery))
    # An empty list is an array of floats, which would turn names on the other side into text of another length.
    known = [ids for ids in (query, gallery) if len(ids)]
    _, numbers = np.unique(np.concatenate(known), return_inverse=True) if known else (None, np.zeros(0, dtype=np.int64))
    numbers = torch.from_numpy(numbers.reshape(-1).astype(np.int64))
    return numbers[: len(query)], numbers[len(query) :]
