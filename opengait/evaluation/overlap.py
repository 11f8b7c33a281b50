"""Overlap of binary masks."""

import torch


def mean_iou(mask: torch.Tensor, other: torch.Tensor, eps: float = 1e-9, empty: float = 0.0) -> torch.Tensor:
    """Return the intersection over union of each pair of masks in a batch, `[n]`, not averaged.

    Args:
        mask, other: `[n, ...]`, bool or zeros and ones. Float64 masks give float64, all others float32.
        eps: added to the union.
        empty: the value of a pair without any foreground.
    """
    dims = tuple(range(1, mask.ndim))
    intersection = (mask * other).sum(dim=dims)
    union = ((mask + other) > 0).sum(dim=dims)
    return torch.where(union > 0, intersection / (union + eps), empty)
