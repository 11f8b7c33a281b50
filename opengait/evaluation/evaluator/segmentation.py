"""Silhouette segmentation: overlap of predicted with true masks."""

import logging
from typing import Any

import torch

from opengait.evaluation.overlap import mean_iou

log = logging.getLogger("opengait")


def evaluate_segmentation(data: dict[str, Any], dataset: str) -> dict[str, torch.Tensor]:
    """Return the intersection over union `[n]` of `data["pred"]` and `data["mask"]`, both binary `[n, 1, h, w]`."""
    overlap = mean_iou(torch.as_tensor(data["pred"]).float(), torch.as_tensor(data["mask"]).float())
    log.info("mIOU: %.3f", overlap.mean() if len(overlap) else 0.0)
    return {"scalar/test_accuracy/mIOU": overlap}
