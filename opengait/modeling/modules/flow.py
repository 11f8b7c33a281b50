"""Optical flow between two feature maps."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from opengait.errors import ConfigError


class FlowFunc(nn.Module):
    """Soft-argmax flow inside a square window (upstream `FlowFunc`).

    `flow(p) = sum_d softmax_d(<f0(p), f1(p + d)> / sqrt(c)) d` over displacements d of at most `radius` in x and y that
    stay inside the map.

    Args:
        radius: largest displacement, in pixels.
        padding_mode: must be `zeros`.

    Raises:
        ConfigError: the padding mode is not `zeros`.
    """

    def __init__(self, radius: int = 3, padding_mode: str = "zeros") -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise ConfigError(f"FlowFunc: expected padding_mode 'zeros', got {padding_mode!r}.")
        self.radius = radius
        self.padding_mode = padding_mode

    def forward(self, f0: torch.Tensor, f1: torch.Tensor) -> torch.Tensor:
        """Return the flow from `f0` to `f1`, both `[n, c, s, h, w]`, as `[n, 2, s, h, w]`: x, then y, in pixels."""
        channels, height, width = f0.shape[1], f0.shape[3], f0.shape[4]
        radius = self.radius
        padded = F.pad(f1, [radius] * 4)
        inside = F.pad(f1.new_ones(height, width), [radius] * 4) > 0
        steps = list(itertools.product(range(-radius, radius + 1), repeat=2))
        scores = []
        # A loop over displacements needs only (2 radius + 1)^2 / c of the memory of unfolded windows.
        for dy, dx in steps:
            rows, columns = slice(radius + dy, radius + dy + height), slice(radius + dx, radius + dx + width)
            score = (f0 * padded[..., rows, columns]).sum(1) / channels**0.5
            scores.append(score.masked_fill(~inside[rows, columns], -torch.inf))
        weights = torch.stack(scores, dim=1).softmax(dim=1)
        displacements = weights.new_tensor([(dx, dy) for dy, dx in steps])
        return torch.einsum("ndshw,dk->nkshw", weights, displacements)
