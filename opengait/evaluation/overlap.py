"""Overlap of masks."""

import torch


def mean_iou(mask: torch.Tensor, other: torch.Tensor, eps: float = 1e-9) -> torch.Tensor:
    """Intersection over union of binary masks `[n, ...]`, per item: `[n]`."""
    dims = tuple(range(1, mask.ndim))
    intersection = (mask * other).sum(dim=dims)
    union = ((mask + other) > 0).sum(dim=dims)
    return intersection / (union + eps)
