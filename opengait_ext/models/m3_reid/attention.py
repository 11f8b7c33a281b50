"""Multi-view attention and the pooling by its masks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.modeling.losses.base import at_least_float32
from opengait_ext.models.shared.full_precision import full_precision

VIEWS = ("hw", "tw", "th")
EPSILON = 1e-12


class MultiViewAttention(nn.Module):
    """Masks of a tracklet's positions from three views: frames (hw), rows over time (tw) and columns over time (th).

    Each view is a 1x1 convolution with a sigmoid, which sees one position at a time. So the cut into frames, rows or
    columns does not change a mask, and one convolution on frames calculates all views; only DAC, which compares the
    heads within a cut, tells the views apart (`AttentionDiversityLoss`).

    Args:
        channels: of the maps.
        heads: masks of each view.

    Shape: (n, s, channels, h, w) -> (n, s, 3, heads, h, w), from 0 to 1.
    """

    def __init__(self, channels: int, heads: int = 2) -> None:
        super().__init__()
        for view in VIEWS:
            layer = nn.Conv2d(channels, heads, 1)
            nn.init.zeros_(layer.get_parameter("bias"))
            self.add_module(view, layer)

    def forward(self, maps: Tensor) -> Tensor:
        layers = [self.get_submodule(view) for view in VIEWS]
        weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
        masks = F.conv2d(maps.flatten(0, 1), weight, bias).sigmoid()
        return masks.unflatten(1, (len(VIEWS), -1)).unflatten(0, maps.shape[:2])


def masked_gem(maps: Tensor, masks: Tensor, power: int = 3) -> Tensor:
    """Return the generalised mean of maps under each mask, (mean (mask map)^power + 1e-12)^(1 / power).

    As neither maps nor masks are negative, the powers are taken before the product, which then is a matrix product: no
    masked map is ever held. In float32 at least, also under autocast.

    Shape: maps (f, c, h, w), masks (f, m, h, w) -> (f, m, c).
    """
    with full_precision(maps.device):
        values, shares = (at_least_float32(part).flatten(2).pow(power) for part in (maps, masks))
        return (shares @ values.transpose(1, 2) / values.shape[2] + EPSILON).pow(1 / power)
