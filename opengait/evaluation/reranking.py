"""k-reciprocal re-ranking (Zhong et al., CVPR 2017) with OpenGait's rounding, one block of rows at a time."""

import numpy as np
import torch

# Elements per block of the largest intermediate result.
_BLOCK = 2**24


def re_ranking(
    distances: np.ndarray | torch.Tensor, query_num: int, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> torch.Tensor:
    """Blend distances with the Jaccard distance of k-reciprocal neighbourhoods.

    The neighbourhood weights and their sums are in half precision and rounded after every step, as in the public
    implementation that OpenGait uses.

    Args:
        distances: `[n, n]` between all tracklets, queries first.
        query_num: number of queries.
        k1: size of a neighbourhood.
        k2: number of nearest tracklets whose neighbourhoods are averaged.
        lambda_value: weight of the original distance, 0 to 1.

    Returns:
        `[query_num, n - query_num]`, float32.
    """
    distances = torch.as_tensor(distances).float()
    distances = (distances / distances.amax(dim=0).clamp(min=torch.finfo(torch.float32).tiny)).T.contiguous()
    nearest = _nearest(distances, max(k1 + 1, k2))
    weights = _neighbourhoods(distances, nearest, k1)
    if k2 != 1:
        weights = _averaged_over_nearest(weights, nearest[:, :k2])
    jaccard = _jaccard_distance(weights, query_num)
    share = torch.tensor(1 - lambda_value, dtype=torch.float16, device=jaccard.device)
    return jaccard * share + distances[:query_num, query_num:] * lambda_value


def _nearest(distances: torch.Tensor, count: int) -> torch.Tensor:
    """Return the `count` nearest of each row, at equal distances in the order of the columns; int64 `[n, count]`."""
    count = min(count, distances.shape[1])
    nearest = torch.empty(len(distances), count, dtype=torch.int64, device=distances.device)
    step = max(1, _BLOCK // max(1, distances.shape[1]))
    for start in range(0, len(distances), step):
        rows = distances[start : start + step]
        columns = rows.topk(count, dim=1, largest=False).indices.sort(dim=1).values
        values, order = rows.gather(1, columns).sort(dim=1, stable=True)
        block = columns.gather(1, order)
        # Of several columns at the largest distance, topk takes any.
        tied = (rows <= values[:, -1:]).sum(dim=1) > count
        block[tied] = rows[tied].argsort(dim=1, stable=True)[:, :count]
        nearest[start : start + step] = block
    return nearest


def _reciprocal(nearest: torch.Tensor, k: int, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k + 1 nearest of each row, and a mask of the reciprocal neighbours among them: `[rows, k + 1]`."""
    forward = nearest[rows, : k + 1]
    return forward, (nearest[:, : k + 1][forward] == rows[:, None, None]).any(dim=2)


def _neighbourhoods(distances: torch.Tensor, nearest: torch.Tensor, k1: int) -> torch.Tensor:
    """Return exp(-distance) over the extended k-reciprocal neighbours, with row sums of 1; float16 `[n, n]`."""
    size = len(distances)
    half = round(k1 / 2)
    weights = torch.zeros(size, size, dtype=torch.float16, device=distances.device)
    step = max(1, _BLOCK // max(size, (k1 + 1) ** 2 * (half + 1)))
    for start in range(0, size, step):
        rows = torch.arange(start, min(start + step, size), device=distances.device)
        near, is_reciprocal = _reciprocal(nearest, k1, rows)
        second, is_second = _reciprocal(nearest, half, near.flatten())
        second = second.view(*near.shape, -1)
        is_second = is_second.view_as(second) & is_reciprocal[:, :, None]

        member = torch.zeros(len(rows), size, dtype=torch.bool, device=distances.device)
        # A row of `near` has no duplicates, but a row of `second` may, so its entries are added up.
        member.scatter_(1, near, is_reciprocal)
        shared = (is_second & member.gather(1, second.flatten(1)).view_as(second)).sum(dim=2)
        accepted = is_second & (3 * shared > 2 * is_second.sum(dim=2))[:, :, None]
        counts = torch.zeros(len(rows), size, dtype=torch.int32, device=distances.device)
        counts.scatter_add_(1, second.flatten(1), accepted.flatten(1).int())
        member |= counts > 0

        weight = torch.where(member, torch.exp(-distances[rows]), 0)
        weights[rows] = (weight / weight.sum(dim=1, keepdim=True)).half()
    return weights


def _averaged_over_nearest(weights: torch.Tensor, nearest: torch.Tensor) -> torch.Tensor:
    """Return the mean of the rows of `weights` over the nearest tracklets of each row."""
    averaged = torch.empty_like(weights)
    step = max(1, _BLOCK // (weights.shape[1] * nearest.shape[1]))
    for start in range(0, len(weights), step):
        averaged[start : start + step] = weights[nearest[start : start + step]].float().mean(dim=1).half()
    return averaged


def _jaccard_distance(weights: torch.Tensor, query_num: int) -> torch.Tensor:
    """Return 1 - m / (2 - m), m being the sum of the smaller weights; float16 `[query_num, n - query_num]`."""
    size = len(weights)
    gallery = weights[query_num:].T.contiguous()
    distance = torch.empty(query_num, size - query_num, dtype=torch.float16, device=weights.device)
    step = max(1, _BLOCK // max(1, size))
    for start in range(0, query_num, step):
        queries = weights[start : min(start + step, query_num)]
        width = int((queries != 0).sum(dim=1).max())
        # The neighbours of a query in ascending order, padded with tracklets of weight 0.
        order = (queries == 0).int().argsort(dim=1, stable=True)[:, :width]
        overlap = torch.zeros(len(queries), size - query_num, dtype=torch.float16, device=weights.device)
        for neighbour in order.unbind(dim=1):
            overlap += torch.minimum(queries.gather(1, neighbour[:, None]), gallery[neighbour])
        distance[start : start + step] = 1 - overlap / (2 - overlap)
    return distance
