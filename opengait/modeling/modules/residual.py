"""Residual blocks on images, on frames with a temporal shortcut, and on space-time volumes."""

from collections.abc import Callable

import torch
from torch import nn

from opengait.modeling.modules.convolutions import conv3x3
from opengait.modeling.modules.wrappers import SetBlockWrapper

Shortcut = Callable[[torch.Tensor], torch.Tensor] | None


class BasicBlock2D(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut (upstream `BasicBlock2D`).

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: stride of the first convolution.
        downsample: module or callable of the shortcut; None for the identity.
    """

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int | tuple[int, int] = 1, downsample: Shortcut = None
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, inplanes, h, w]` to `[n, planes, h', w']`."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + identity)


class BasicBlockP3D(nn.Module):
    """A residual block on frames with a (3, 1, 1) convolution over time between its two convolutions.

    Upstream `BasicBlockP3D`; takes the arguments of `BasicBlock2D`, where `stride` is spatial.
    """

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int | tuple[int, int] = 1, downsample: Shortcut = None
    ) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = SetBlockWrapper(
            nn.Sequential(conv3x3(inplanes, planes, stride), nn.BatchNorm2d(planes), nn.ReLU(inplace=True))
        )
        self.conv2 = SetBlockWrapper(nn.Sequential(conv3x3(planes, planes), nn.BatchNorm2d(planes)))
        self.shortcut3d = nn.Conv3d(planes, planes, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.sbn = nn.BatchNorm3d(planes)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, inplanes, s, h, w]` to `[n, planes, s, h', w']`."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.conv1(x)
        out = self.relu(out + self.sbn(self.shortcut3d(out)))
        out = self.conv2(out)
        return self.relu(out + identity)


class BasicBlock3D(nn.Module):
    """Two 3x3x3 convolutions with batch norm around a shortcut (upstream `BasicBlock3D`).

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: (frames, height, width) of the first convolution; the frame stride is 1 (frames kept) or 3 (three
            frames become one, without padding).
        downsample: module or callable of the shortcut; None for the identity.

    Raises:
        ValueError: the frame stride is neither 1 nor 3.
    """

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: tuple[int, int, int] = (1, 1, 1), downsample: Shortcut = None
    ) -> None:
        super().__init__()
        if stride[0] not in (1, 3):
            raise ValueError(f"BasicBlock3D: expected a frame stride of 1 or 3, got {stride[0]}.")
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv3d(
            inplanes,
            planes,
            kernel_size=3,
            stride=(stride[0], stride[1], stride[2]),
            padding=(1 if stride[0] == 1 else 0, 1, 1),
            bias=False,
        )
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, inplanes, s, h, w]` to `[n, planes, s', h', w']`."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + identity)
