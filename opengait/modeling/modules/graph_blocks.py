"""Blocks of graph networks on skeleton sequences `[n, c, t, v]` (t frames, v joints): over joints and over time."""

from typing import Any

import torch
from torch import nn


class SpatialGraphConv(nn.Module):
    """Graph convolution over joints (upstream `SpatialGraphConv`).

    `y[.., w] = sum over hops i <= k and joints v of (W_i x)[.., v] A[i, v, w]`

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        max_graph_distance: k, the largest distance in links; one convolution `gcn` holds the weights of all hops.
    """

    def __init__(self, in_channels: int, out_channels: int, max_graph_distance: int) -> None:
        super().__init__()
        self.s_kernel_size = max_graph_distance + 1
        self.gcn = nn.Conv2d(in_channels, out_channels * self.s_kernel_size, 1)

    def forward(self, x: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Map `[n, in, t, v]` to `[n, out, t, v]`, with `A` `[at least k+1, v, v]`."""
        hops = self.gcn(x).unflatten(1, (self.s_kernel_size, -1))
        return torch.einsum("nkctv,kvw->nctw", hops, A[: self.s_kernel_size]).contiguous()


class SpatialBasicBlock(nn.Module):
    """`relu(bn(conv(x, A)) + shortcut)` (upstream `SpatialBasicBlock`).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        max_graph_distance: see `SpatialGraphConv`.
        residual: add a shortcut: the identity, or a 1x1 convolution where the channels change.
        reduction: ignored; gives both spatial blocks the same signature.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        max_graph_distance: int,
        residual: bool = False,
        reduction: int = 0,
    ) -> None:
        del reduction
        super().__init__()
        self.residual = shortcut(in_channels, out_channels) if residual else _Zero()
        self.conv = SpatialGraphConv(in_channels, out_channels, max_graph_distance)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Map `[n, in, t, v]` to `[n, out, t, v]`."""
        return self.relu(self.bn(self.conv(x, A)) + self.residual(x))


class SpatialBottleneckBlock(nn.Module):
    """A graph convolution between two 1x1 convolutions (upstream `SpatialBottleneckBlock`).

    See `SpatialBasicBlock`; the graph convolution runs on `out_channels // reduction` channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        max_graph_distance: int,
        residual: bool = False,
        reduction: int = 4,
    ) -> None:
        super().__init__()
        inner = out_channels // reduction
        self.residual = shortcut(in_channels, out_channels) if residual else _Zero()
        self.conv_down = nn.Conv2d(in_channels, inner, 1)
        self.bn_down = nn.BatchNorm2d(inner)
        self.conv = SpatialGraphConv(inner, inner, max_graph_distance)
        self.bn = nn.BatchNorm2d(inner)
        self.conv_up = nn.Conv2d(inner, out_channels, 1)
        self.bn_up = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Map `[n, in, t, v]` to `[n, out, t, v]`."""
        out = self.relu(self.bn_down(self.conv_down(x)))
        out = self.relu(self.bn(self.conv(out, A)))
        return self.relu(self.bn_up(self.conv_up(out)) + self.residual(x))


class TemporalBasicBlock(nn.Module):
    """`relu(bn(conv(x)) + shortcut + r)` with a convolution over time (upstream `TemporalBasicBlock`).

    Args:
        channels: channels of input and output.
        temporal_window_size: frames covered by the convolution; odd.
        stride: stride over time.
        residual: add a shortcut: the identity, or a 1x1 convolution where the stride is not 1.
        reduction: ignored, as are the next two; they give both temporal blocks the same signature.
        get_res: ignored.
        tcn_stride: ignored.
    """

    def __init__(
        self,
        channels: int,
        temporal_window_size: int,
        stride: int = 1,
        residual: bool = False,
        reduction: int = 0,
        get_res: bool = False,
        tcn_stride: bool = False,
    ) -> None:
        del reduction, get_res, tcn_stride
        super().__init__()
        self.residual = shortcut(channels, channels, stride) if residual else _Zero()
        self.conv = _over_time(channels, temporal_window_size, stride)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor, res_module: Any) -> torch.Tensor:
        """Map `[n, c, t, v]` to `[n, c, t', v]`; `res_module` is r, a number or a tensor of the output shape."""
        return self.relu(self.bn(self.conv(x)) + self.residual(x) + res_module)


class TemporalBottleneckBlock(nn.Module):
    """A convolution over time between two 1x1 convolutions (upstream `TemporalBottleneckBlock`).

    See `TemporalBasicBlock`; the middle convolution runs on `channels // reduction` channels. With `get_res`
    the block halves the number of frames regardless of `stride`, and its shortcut is always a convolution.
    """

    def __init__(
        self,
        channels: int,
        temporal_window_size: int,
        stride: int = 1,
        residual: bool = False,
        reduction: int = 4,
        get_res: bool = False,
        tcn_stride: bool = False,
    ) -> None:
        del tcn_stride
        super().__init__()
        inner = channels // reduction
        if get_res:
            stride, residual = 2, True
        self.residual = shortcut(channels, channels, stride) if residual else _Zero()
        self.conv_down = nn.Conv2d(channels, inner, 1)
        self.bn_down = nn.BatchNorm2d(inner)
        self.conv = _over_time(inner, temporal_window_size, stride)
        self.bn = nn.BatchNorm2d(inner)
        self.conv_up = nn.Conv2d(inner, channels, 1)
        self.bn_up = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor, res_module: Any) -> torch.Tensor:
        """Map `[n, c, t, v]` to `[n, c, t', v]`; `res_module` as in `TemporalBasicBlock`."""
        out = self.relu(self.bn_down(self.conv_down(x)))
        out = self.relu(self.bn(self.conv(out)))
        return self.relu(self.bn_up(self.conv_up(out)) + self.residual(x) + res_module)


class _Zero(nn.Module):
    """A shortcut that adds nothing."""

    def forward(self, x: torch.Tensor) -> float:
        """Return 0."""
        del x
        return 0.0


def shortcut(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """Return the identity where shapes allow it, else a 1x1 convolution with batch norm."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels))


def _over_time(channels: int, window: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, (window, 1), (stride, 1), ((window - 1) // 2, 0))
