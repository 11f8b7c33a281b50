"""Bias-free convolutions under the names that OpenGait's checkpoints use."""

from typing import Any

import torch
from torch import nn


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """Return a 1x1 convolution without bias."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


def conv3x3(
    in_planes: int, out_planes: int, stride: int | tuple[int, int] = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """Return a 3x3 convolution without bias that keeps the size at stride 1."""
    return nn.Conv2d(
        in_planes,
        out_planes,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        groups=groups,
        bias=False,
        dilation=dilation,
    )


class BasicConv2d(nn.Module):
    """`Conv2d` without bias, named `conv` (upstream `BasicConv2d`)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, **kwargs: Any
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=False, **kwargs
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve `[n, c, h, w]`."""
        return self.conv(x)


class BasicConv3d(nn.Module):
    """`Conv3d` over frames, height and width, named `conv3d` (upstream `BasicConv3d`)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any = (3, 3, 3),
        stride: Any = (1, 1, 1),
        padding: Any = (1, 1, 1),
        bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=bias, **kwargs
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve `[n, c, s, h, w]`."""
        return self.conv3d(x)


class FocalConv2d(nn.Module):
    """A convolution applied to horizontal strips separately (upstream `FocalConv2d`).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: as for `Conv2d`.
        halving: the height is cut into strips of `h // 2**halving` rows, each padded and convolved on its own with the
            same weights; 0 gives an ordinary convolution.
        **kwargs: further arguments of `Conv2d`, such as stride and padding.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, halving: int, **kwargs: Any) -> None:
        super().__init__()
        self.halving = halving
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, bias=False, **kwargs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve `[n, c, h, w]`.

        Raises:
            ValueError: the map has fewer rows than strips.
        """
        if self.halving == 0:
            return self.conv(x)
        rows = x.shape[2] // 2**self.halving
        if rows == 0:
            raise ValueError(
                f"halving {self.halving} makes {2**self.halving} strips, but the map has {x.shape[2]} rows."
            )
        return torch.cat([self.conv(strip) for strip in x.split(rows, dim=2)], dim=2)
