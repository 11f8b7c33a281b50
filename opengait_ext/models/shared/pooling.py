"""From maps to vectors: set pooling over frames and the horizontal pyramid over stripes."""

from collections.abc import Sequence

from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait.modeling.modules import HorizontalPoolingPyramid, SeparateFCs


def set_pooling(maps: Tensor) -> Tensor:
    """SP of Eq. 1 (GaitSet, Chao et al., 2019): the maximum over frames, whatever their order or number.

    Shape: (n, s, c, h, w) -> (n, c, h, w).
    """
    return maps.amax(dim=1)


class StripeProjection(nn.Module):
    """One global and several local part features of a sequence-level map (Section 3.3).

    The map is cut into n_s stripes at each granularity; each stripe is pooled (mean plus maximum) and projected by a
    matrix of its own, the global feature being the one stripe of granularity 1.

    Args:
        channels: of the map.
        dimension: C, of each part feature.
        granularities: n_s, stripes a granularity.
    """

    def __init__(self, channels: int, dimension: int = 256, granularities: Sequence[int] = (2, 4, 8, 16)) -> None:
        super().__init__()
        self.stripes = (1, *granularities)
        self.pyramid = HorizontalPoolingPyramid(list(self.stripes))
        self.FCs = SeparateFCs(sum(self.stripes), channels, dimension)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, dimension, parts): the global feature, then the stripes of each granularity.

        Raises:
            ConfigError: h is no multiple of every granularity.
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
    """Where the stripes of each granularity lie among the parts of `StripeProjection`."""
    slices, start = [], 1
    for stripes in granularities:
        slices.append(slice(start, start + stripes))
        start += stripes
    return slices
