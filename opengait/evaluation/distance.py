"""Distances between part-based descriptors."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F

from opengait import distributed
from opengait.errors import ConfigError, DataError

Metric = Literal["euc", "cos", "dot"]
_METRICS = get_args(Metric)
# Elements per block of distances; a block and its intermediate results take about 1 GiB.
_BLOCK = 2**26


def cuda_dist(x: np.ndarray | torch.Tensor, y: np.ndarray | torch.Tensor, metric: str = "euc") -> torch.Tensor:
    """Return the distances `[n, m]` between `x` `[n, c, p]` and `y` `[m, c, p]`, averaged over the p parts.

    "euc" is the Euclidean distance per part, sqrt(max(0, x² + y² − 2xy)), "cos" is 1 minus the cosine per part, and
    "dot" is minus the product per part, which is no distance but ranks like one. The computation is in float32, or in
    float64 if either input is, on the device of the tensors. Arrays are moved to the device of this process.

    Raises:
        ConfigError: the metric is unknown.
        DataError: the descriptors have different or invalid shapes.
    """
    _check_metric(metric)
    x, y = _as_parts(x), _as_parts(y)
    if x.dtype != y.dtype:
        x, y = x.double(), y.double()
    if x.shape[1:] != y.shape[1:]:
        raise DataError(f"Descriptors of shapes {tuple(x.shape[1:])} and {tuple(y.shape[1:])} cannot be compared.")
    if metric == "cos":
        x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
    parts = x.shape[2]
    # One contiguous [n, c] matrix per part, shared by all blocks.
    x, y = x.permute(2, 0, 1).contiguous(), y.permute(2, 0, 1).contiguous()
    distances = x.new_empty(x.shape[1], y.shape[1])
    step = max(1, _BLOCK // max(1, x.shape[1]))
    for start in range(0, y.shape[1], step):
        block = distances[:, start : start + step].zero_()
        for part in range(parts):
            block += _part_distance(x[part], y[part, start : start + step], metric)
        block /= parts
    return distances


def distance_rows(
    x: np.ndarray | torch.Tensor, y: np.ndarray | torch.Tensor, metric: str = "euc"
) -> Callable[[int, int], torch.Tensor]:
    """Return a function `(start, stop)` that returns those rows of `cuda_dist(x, y, metric)`, which are never all held.

    Raises:
        ConfigError, DataError: as `cuda_dist`.
    """
    _check_metric(metric)
    x, y = _as_parts(x), _as_parts(y)
    # In this memory layout, `cuda_dist` does not copy `y` for every block of rows.
    y = y.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    return lambda start, stop: cuda_dist(x[start:stop], y, metric)


def check_rerank(metric: str) -> None:
    """Check that distances of a metric can be re-ranked.

    Raises:
        ConfigError: they are below zero.
    """
    if metric == "dot":
        raise ConfigError("evaluator_cfg.rerank needs distances, and metric dot has none; choose euc or cos.")


def _check_metric(metric: str) -> None:
    if metric not in _METRICS:
        raise ConfigError(f"evaluator_cfg.metric: expected one of {', '.join(_METRICS)}, got {metric!r}.")


def _part_distance(x: torch.Tensor, y: torch.Tensor, metric: str) -> torch.Tensor:
    if metric != "euc":
        return -(x @ y.T) if metric == "dot" else 1 - x @ y.T
    squared = x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * (x @ y.T)
    # Rounding may leave the square of a near-zero distance negative.
    return squared.relu_().sqrt_()


def _as_parts(features: np.ndarray | torch.Tensor) -> torch.Tensor:
    if not isinstance(features, torch.Tensor):
        features = torch.as_tensor(np.asarray(features), device=distributed.device())
    if features.ndim != 3:
        raise DataError(f"Expected descriptors of shape [tracklets, channels, parts], got {tuple(features.shape)}.")
    return features if features.dtype == torch.float64 else features.float()
