"""Crops of the walker from a feature map, located by the silhouette, at a fixed size and aspect ratio."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import RoIAlign


class GaitAlign(nn.Module):
    """Differentiable crop around a silhouette (upstream `GaitAlign`).

    The box spans the mask's rows and is centred on the column that halves the mask's area. Its width follows from the
    aspect ratio of the image that the map was computed from.

    Args:
        H: height of the output.
        W: width of the output; maps are padded with zeros by half of it on either side before cropping.
        eps: smallest sum of a row of the mask that counts as occupied.
        **kwargs: ignored, as in OpenGait.
    """

    def __init__(self, H: int = 64, W: int = 44, eps: float = 1, **kwargs: Any) -> None:
        del kwargs
        super().__init__()
        self.H, self.W, self.eps = H, W, eps
        self.Pad = nn.ZeroPad2d((W // 2, W // 2, 0, 0))
        self.RoiPool = RoIAlign((H, W), spatial_scale=1, sampling_ratio=-1)

    def forward(self, feature_map: torch.Tensor, binary_mask: torch.Tensor, w_h_ratio: torch.Tensor) -> torch.Tensor:
        """Crop every map.

        Args:
            feature_map: `[n, c, h, w]`.
            binary_mask: `[n, 1, h, w]` of 0 and 1.
            w_h_ratio: n ratios of width to height of the images before they were resized to the map.

        Returns:
            `[n, c, H, W]`; zeros where the mask is empty.
        """
        ratio = w_h_ratio.reshape(-1)
        boxes = self.boxes(binary_mask, ratio)
        index = torch.arange(len(boxes), dtype=boxes.dtype, device=boxes.device).unsqueeze(1)
        rois = torch.cat([index, boxes], dim=1).to(feature_map.dtype)
        return self.RoiPool(self.Pad(feature_map), rois)

    def boxes(self, mask: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
        """Return boxes `[n, 4]` (x1, y1, x2, y2) in pixels of the padded map."""
        height, width = mask.shape[-2:]
        occupied = mask.sum((1, 3)) >= self.eps
        rows = torch.arange(height, device=mask.device)
        # An empty mask gets a box below the map, which crops zeros.
        top = torch.where(occupied, rows, height).amin(1)
        bottom = torch.where(occupied, rows, 0).amax(1) + 1

        area = mask.sum((1, 2)).cumsum(1)
        centre = (area < area[:, -1:] / 2).sum(1)
        margin = F.relu((self.W - self.H * ratio) / 2) * width / (ratio * self.H)
        half = (bottom - top) * width / height / 2 + margin
        left, right = ((centre + self.W // 2 + side * half).clamp(0, width + 2 * (self.W // 2)) for side in (-1, 1))
        return torch.stack([left, top.to(left.dtype), right, bottom.to(left.dtype)], dim=1)
