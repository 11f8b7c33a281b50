"""Plain stacks of convolutions, described by a list of tokens."""

from collections.abc import Sequence

import torch
from torch import nn

from opengait.errors import ConfigError
from opengait.modeling.modules import BasicConv2d, FocalConv2d


class Plain(nn.Module):
    """Convolutions with LeakyReLU(0.01) and max pooling, in the order of `layers_cfg` (upstream `Plain`).

    Args:
        layers_cfg: tokens: `BC-c` a convolution to c channels, `FC-c-halving` a focal one in `2**halving` strips, `M`
            a 2x2 max pooling. The first convolution is 5x5, the others are 3x3; all keep the size.
        in_channels: channels of the input.

    Raises:
        ConfigError: a token is unknown.
    """

    def __init__(self, layers_cfg: Sequence[str], in_channels: int = 1) -> None:
        super().__init__()
        self.layers_cfg = layers_cfg
        self.in_channels = in_channels
        layers: list[nn.Module] = []
        channels, kernel, padding = in_channels, 5, 2
        for token in layers_cfg:
            match token.split("-"):
                case ["M"]:
                    layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
                    continue
                case ["BC", width] if width.isdecimal():
                    layers.append(BasicConv2d(channels, int(width), kernel, 1, padding))
                case ["FC", width, halving] if width.isdecimal() and halving.isdecimal():
                    layers.append(FocalConv2d(channels, int(width), kernel, int(halving), stride=1, padding=padding))
                case _:
                    raise ConfigError(
                        f"layers_cfg: expected BC-<channels>, FC-<channels>-<halving> or M, got {token!r}."
                    )
            layers.append(nn.LeakyReLU(inplace=True))
            channels, kernel, padding = int(width), 3, 1
        self.feature = nn.Sequential(*layers)

    def forward(self, seqs: torch.Tensor) -> torch.Tensor:
        """Map `[n, in_channels, h, w]` to `[n, c, h', w']`."""
        return self.feature(seqs)
