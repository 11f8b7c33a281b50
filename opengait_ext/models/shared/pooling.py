"""Pooling of maps to vectors: over a set of frames, over positions, and over horizontal stripes."""

from collections.abc import Sequence

from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait.modeling.losses.base import at_least_float32
from opengait.modeling.modules import HorizontalPoolingPyramid, SeparateFCs
from opengait_ext.models.shared.full_precision import full_precision


def set_pooling(maps: Tensor) -> Tensor:
    """Apply SP of Eq. 1 (GaitSet, Chao et al., 2019): the maximum over frames, whose order does not matter.

    Shape: (n, s, c, h, w) -> (n, c, h, w).
    """
    return maps.amax(dim=1)


def gem_pooling(maps: Tensor, power: float = 3.0, eps: float = 1e-12) -> Tensor:
    """Return the generalised mean over positions (Radenovic et al., 2018), (mean of x^p + eps)^(1/p).

    Computed in float32 at least, since cubes of activations overflow float16.

    Args:
        maps: (f, c, h, w), not negative.
        power: p; it is fixed, as in AGW and M3-ReID.
        eps: keeps the gradient at 0 finite.

    Returns:
        (f, c).
    """
    with full_precision(maps.device):
        return (at_least_float32(maps).pow(power).mean(dim=(-2, -1)) + eps).pow(1 / power)


class StripeProjection(nn.Module):
    """One global and several local part features of a sequence-level map (Section 3.3).

    The map is cut into n_s stripes at each granularity. Each stripe is pooled (mean plus maximum) and projected by a
    matrix of its own; the global feature is the single stripe of granularity 1.

    Args:
        channels: of the map.
        dimension: C, of each part feature.
        granularities: n_s, stripes per granularity.
    """

    def __init__(self, channels: int, dimension: int = 256, granularities: Sequence[int] = (2, 4, 8, 16)) -> None:
        super().__init__()
        self.stripes = (1, *granularities)
        self.pyramid = HorizontalPoolingPyramid(list(self.stripes))
        self.FCs = SeparateFCs(sum(self.stripes), channels, dimension)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the parts of maps (n, channels, h, w): (n, dimension, parts), the global feature first.

        Raises:
            ConfigError: h is not a multiple of every granularity.
        """
        height = maps.shape[-2]
        for stripes in self.stripes:
            if height % stripes:
                raise ConfigError(
                    f"A feature map {height} rows high cannot be cut into {stripes} equal stripes; choose frames (or "
                    f"silhouettes) whose height gives a multiple of {stripes} rows, or other granularities."
                )
        return self.FCs(self.pyramid(maps))


def granularity_slices(granularities: Sequence[int]) -> list[slice]:
    """Return the slices of the parts of `StripeProjection` that hold the stripes of each granularity."""
    slices, start = [], 1
    for stripes in granularities:
        slices.append(slice(start, start + stripes))
        start += stripes
    return slices
