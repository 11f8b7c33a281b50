"""The gallery tracklets nearest to each query, exactly, in blocks of bounded memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opengait.evaluation.distance import cuda_dist

# Bytes of float32 descriptors, and distances, per block.
BLOCK_BYTES, BLOCK_DISTANCES = 2**26, 2**24


@dataclass(frozen=True)
class Neighbours:
    """The nearest of n gallery tracklets for each of q queries, nearest first; ties keep the order of the gallery.

    Attributes:
        places: int64 `[q, k]`, their places.
        distances: float64 `[q, k]`.
        farthest: int64 `[q]`, place of the farthest tracklet; -1 if unknown.
        count: n.
    """

    places: np.ndarray
    distances: np.ndarray
    farthest: np.ndarray
    count: int


def block_rows(queries: int, shape: tuple[int, ...]) -> int:
    """Return the number of gallery rows per block for descriptors of a shape (c, p)."""
    return max(1, min(BLOCK_BYTES // (4 * max(1, int(np.prod(shape)))), BLOCK_DISTANCES // max(1, queries)))


def exact_neighbours(
    queries: np.ndarray, blocks: Iterable[tuple[np.ndarray, np.ndarray]], top: int, metric: str
) -> Neighbours:
    """Return the `top` nearest gallery tracklets of each query.

    Args:
        queries: `[q, c, p]`.
        blocks: (places `[b]`, descriptors `[b, c, p]`) pairs, places ascending.
        top: number of neighbours; fewer if the gallery has fewer.
        metric: "euc", "cos" or "dot".
    """
    query = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32))
    places = torch.empty(len(query), 0, dtype=torch.int64)
    distances = torch.empty(len(query), 0)
    farthest = torch.full((len(query),), -1, dtype=torch.int64)
    largest = torch.full((len(query),), -1.0)
    count = 0
    for block_places, block in blocks:
        if not len(block):
            continue
        count += len(block)
        new = torch.from_numpy(np.ascontiguousarray(block_places, dtype=np.int64))
        distance = cuda_dist(query, torch.from_numpy(np.array(block, dtype=np.float32)), metric).cpu()
        far, at = distance.max(dim=1)
        farthest = torch.where(far > largest, new[at], farthest)
        largest = torch.maximum(far, largest)
        if distance.shape[1] > top:
            # A stable choice: whatever equals the last one kept is cut in the order of the gallery.
            kept = distance.sort(dim=1, stable=True) if top > 64 else _smallest(distance, top)
            distance, order = kept[0][:, :top], kept[1][:, :top]
            new = new[order]
        else:
            new = new.expand(len(query), -1)
        distances, order = torch.cat([distances, distance], dim=1).sort(dim=1, stable=True)
        places = torch.cat([places, new], dim=1).gather(1, order)[:, :top]
        distances = distances[:, :top]
    return Neighbours(places.numpy(), distances.double().numpy(), farthest.numpy(), count)


def _smallest(distance: torch.Tensor, top: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the smallest distances of each row and their columns, equal ones in order of the columns."""
    limit = distance.topk(top, dim=1, largest=False).values[:, -1:]
    # Fewer than `top` are below the limit, so of those at the limit the first columns fill the rest.
    columns = torch.arange(distance.shape[1])
    below = distance < limit
    at_limit = distance == limit
    fill = at_limit & (at_limit.cumsum(dim=1) <= top - below.sum(dim=1, keepdim=True))
    order = columns.expand_as(distance)[below | fill].view(len(distance), top)
    values = distance.gather(1, order)
    values, again = values.sort(dim=1, stable=True)
    return values, order.gather(1, again)


def nearest_of(
    queries: np.ndarray,
    places: Sequence[np.ndarray],
    descriptors: Sequence[np.ndarray],
    top: int,
    metric: str,
    rest: Neighbours | None = None,
) -> Neighbours:
    """Return the `top` nearest of the candidates of each query, by the exact metric.

    Args:
        queries: `[q, c, p]`.
        places, descriptors: of each query's candidates, `[k]` ascending and `[k, c, p]`.
        rest: neighbours among other tracklets, which compete.
    """
    found = np.full((len(queries), top), -1, dtype=np.int64)
    distances = np.full((len(queries), top), np.inf)
    for number, (own, block) in enumerate(zip(places, descriptors, strict=True)):
        near = exact_neighbours(queries[number : number + 1], [(own, block)], top, metric)
        candidates, distance = near.places[0], near.distances[0]
        if rest is not None:
            candidates = np.concatenate([candidates, rest.places[number]])
            distance = np.concatenate([distance, rest.distances[number]])
        order = np.argsort(distance, kind="stable")[:top]
        found[number, : len(order)], distances[number, : len(order)] = candidates[order], distance[order]
    kept = int((found >= 0).sum(axis=1).min(initial=top))
    return Neighbours(found[:, :kept], distances[:, :kept], np.full(len(queries), -1), sum(map(len, places)))
