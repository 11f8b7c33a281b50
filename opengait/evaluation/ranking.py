"""Retrieval metrics from distances: CMC, mAP and mINP, for tests, figures and reports alike.

The rank of a gallery item is 1 plus the number of nearer items; at equal distances, earlier items of the gallery count
as nearer. Let p1 < ... < pm be the ranks of a query's m matches. The query has a hit at rank k if p1 <= k, its average
precision is (1/m) sum_j j / pj, and its inverse negative penalty is m / pm. CMC, mAP and mINP are the means of these
over the queries that have a match.

Nothing needs the order of the gallery: a rank is the place of the match's distance among the sorted distances. Only
rows where a match ties with another item are ordered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opengait.errors import DataError
from opengait.utils.threads import in_threads

Ids = Sequence | np.ndarray | torch.Tensor
Distance = torch.Tensor | np.ndarray | Callable[[int, int], torch.Tensor]
# Elements per block of distances; a block takes about 60 MiB, and up to 500 with ties or few identities.
_BLOCK = 2**22


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
    distance: Distance,
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
    cameras = _camera_numbers(query_cameras, gallery_cameras, (queries, gallery)) if drop_same_camera else None
    rows_of = _as_function(distance, (queries, gallery))
    order = gallery_ids.argsort(stable=True)
    sorted_ids = gallery_ids[order]
    begin, end = (torch.searchsorted(sorted_ids, query_ids, right=right) for right in (False, True))
    matches, first, last = np.zeros((3, queries), dtype=np.int64)
    precision = np.zeros(queries)
    step = max(1, _BLOCK // max(1, gallery))
    for start in range(0, queries if gallery else 0, step):
        rows = slice(start, min(start + step, queries))
        block = rows_of(rows.start, rows.stop)
        places = begin[rows, None] + torch.arange(int((end[rows] - begin[rows]).max()))
        match, items = places < end[rows, None], order[places.clamp(max=gallery - 1)]
        removed = torch.zeros_like(match)
        if cameras is not None:
            removed = match & (cameras[1][items] == cameras[0][rows, None])
            match &= ~removed
        ranks = _ranks(block, *(part.to(block.device) for part in (items, match, removed)))
        matches[rows], first[rows], last[rows], precision[rows] = _count_matches(ranks.cpu().numpy(), match.numpy())
    return _average(matches, first, last, precision, gallery, max_rank)


def _as_function(distance: Distance, shape: tuple[int, int]) -> Callable[[int, int], torch.Tensor]:
    """Return a function of the rows of a matrix, or the function that was given."""
    if callable(distance):
        return distance
    # torch does not accept numpy views with negative strides.
    matrix = torch.as_tensor(np.ascontiguousarray(distance) if _is_reversed(distance) else distance)
    if tuple(matrix.shape) != shape:
        raise DataError(f"Expected distances of shape {shape} (queries, gallery), got {tuple(matrix.shape)}.")
    return lambda start, stop: matrix[start:stop]


def _camera_numbers(
    query: Ids | None, gallery: Ids | None, shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    if query is None or gallery is None:
        raise DataError("drop_same_camera needs the cameras of the queries and of the gallery.")
    if (len(query), len(gallery)) != shape:
        raise DataError(
            f"Expected a camera for each of {shape[0]} queries and {shape[1]} gallery items, got {len(query)} and "
            f"{len(gallery)}."
        )
    return _as_numbers(query, gallery)


def _ranks(distance: torch.Tensor, items: torch.Tensor, match: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """Return the rank of each match, int64 `[q, m]`; the other entries have no meaning.

    Args:
        distance: `[q, g]`.
        items: int64 `[q, m]`, the gallery items of the query's identity, filled up with any others.
        match: bool `[q, m]`, the items that are matches.
        removed: bool `[q, m]`, the items that take no rank.

    Raises:
        DataError: a distance is NaN.
    """
    if distance.dtype not in (torch.float32, torch.float64):
        distance = distance.double()
    of_items = distance.gather(1, items)
    ranked = distance.clone(memory_format=torch.contiguous_format)
    ranked[removed.nonzero()[:, 0], items[removed]] = torch.inf
    ranked = _sorted(ranked)
    # NaN comes after all numbers.
    if torch.isnan(ranked[:, -1]).any() or torch.isnan(of_items).any():
        raise DataError("Some distances are NaN; check the model, whose descriptors are not finite.")
    ranks = torch.searchsorted(ranked, of_items) + 1
    last = ranked.shape[1] - 1
    tied = (match & (ranks <= last) & (ranked.gather(1, ranks.clamp(max=last)) == of_items)).any(dim=1)
    if tied.any():
        # Places in the order of a stable sort stand for distances, and no two are equal.
        places = distance[tied].sort(dim=1, stable=True).indices.argsort(dim=1)
        ranks[tied] = _ranks(places, items[tied], match[tied], removed[tied])
    return ranks


def _sorted(block: torch.Tensor) -> torch.Tensor:
    """Return a contiguous block with sorted rows; on the CPU it is sorted in place."""
    if block.device.type != "cpu":
        return block.sort(dim=1).values
    # torch sorts indices along with the numbers, which takes many times as long.
    threads = torch.get_num_threads()
    list(in_threads(lambda rows: rows.numpy().sort(axis=1), block.chunk(threads), threads))
    return block


def _count_matches(ranks: np.ndarray, match: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return per query the number of matches, first and last of their ranks (0 if none), and the summed precision."""
    matches = match.sum(axis=1)
    ranks = np.sort(np.where(match, ranks, np.iinfo(ranks.dtype).max), axis=1).T
    number = np.arange(1, len(ranks) + 1)[:, None]
    # One after the other, so that a sum does not depend on the block, as those of numpy do.
    precision = sum(np.where(number <= matches, number / ranks, 0), np.zeros(len(matches)))
    ranks = np.where(number <= matches, ranks, 0)
    return matches, ranks[:1].sum(axis=0), ranks.max(axis=0, initial=0), precision


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
