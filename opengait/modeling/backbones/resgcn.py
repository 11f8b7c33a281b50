"""Residual graph convolution network on skeleton sequences."""

from collections.abc import Sequence

import torch
from torch import nn

from opengait.errors import ConfigError
from opengait.modeling.modules import (
    SpatialBasicBlock,
    SpatialBottleneckBlock,
    TemporalBasicBlock,
    TemporalBottleneckBlock,
)
from opengait.modeling.modules.graph_blocks import shortcut

BLOCKS = {
    "initial": (SpatialBasicBlock, TemporalBasicBlock),
    "Basic": (SpatialBasicBlock, TemporalBasicBlock),
    "Bottleneck": (SpatialBottleneckBlock, TemporalBottleneckBlock),
}


class ResGCNModule(nn.Module):
    """One layer: a block over joints, a block over time and a shortcut around both (upstream `ResGCN_Module`).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        block: `initial` (no shortcuts), `Basic` (one around the layer) or `Bottleneck` (one around each block).
        A: adjacency `[hops, v, v]`; every entry is multiplied by a learned `edge`.
        stride: stride over time.
        kernel_size: frames seen over time, and largest distance in links over joints.
        reduction: channel reduction of the bottlenecks.
        get_res: see `TemporalBottleneckBlock`.

    Raises:
        ConfigError: the block is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        block: str,
        A: torch.Tensor,
        stride: int = 1,
        kernel_size: Sequence[int] = (9, 2),
        reduction: int = 4,
        get_res: bool = False,
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise ConfigError(f"ResGCN: expected one of {', '.join(BLOCKS)}, got {block!r}.")
        spatial, temporal = BLOCKS[block]
        inner_shortcuts = block == "Bottleneck"
        window, distance = kernel_size
        self.scn = spatial(in_channels, out_channels, distance, inner_shortcuts, reduction)
        self.tcn = temporal(out_channels, window, stride, inner_shortcuts, reduction, get_res=get_res)
        self.edge = nn.Parameter(torch.ones_like(A))
        self.residual = shortcut(in_channels, out_channels, stride) if block == "Basic" else None

    def forward(self, x: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        """Map `[n, in, t, v]` to `[n, out, t', v]`."""
        residual = 0 if self.residual is None else self.residual(x)
        return self.tcn(self.scn(x, A * self.edge), residual)


class ResGCNInputBranch(nn.Module):
    """The layers of one kind of input (upstream `ResGCN_Input_Branch`).

    Args:
        input_branch: channels of the input and of each layer.
        block: block of the layers after the first, which is `initial`.
        A: adjacency `[hops, v, v]`.
        reduction: channel reduction of the bottlenecks.
    """

    def __init__(self, input_branch: Sequence[int], block: str, A: torch.Tensor, reduction: int) -> None:
        super().__init__()
        self.register_buffer("A", A.clone())
        self.bn = nn.BatchNorm2d(input_branch[0])
        self.layers = nn.ModuleList(
            ResGCNModule(before, after, block if index else "initial", A, reduction=reduction)
            for index, (before, after) in enumerate(zip(input_branch[:-1], input_branch[1:], strict=True))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, input_branch[0], t, v]` to `[n, input_branch[-1], t, v]`."""
        x = self.bn(x)
        for layer in self.layers:
            x = layer(x, self.A)
        return x


class ResGCN(nn.Module):
    """Branches for several kinds of input, joined and classified (upstream `ResGCN`).

    Args:
        input_num: number of inputs i.
        input_branch: channels of an input and of each layer of its branch.
        main_stream: output channels of each branch, then of each layer after the join. A layer that changes the width
            halves the frames; the first one only does so with the `Bottleneck` block.
        num_class: size of the output.
        reduction: channel reduction of the bottlenecks.
        block: `Basic` or `Bottleneck`.
        graph: adjacency `[hops, v, v]`.
    """

    def __init__(
        self,
        input_num: int,
        input_branch: Sequence[int],
        main_stream: Sequence[int],
        num_class: int,
        reduction: int,
        block: str,
        graph: torch.Tensor,
    ) -> None:
        super().__init__()
        adjacency = torch.as_tensor(graph, dtype=torch.float32)
        self.graph = graph
        self.head = nn.ModuleList(
            ResGCNInputBranch(input_branch, block, adjacency, reduction) for _ in range(input_num)
        )
        layers = [
            ResGCNModule(
                main_stream[0] * input_num, main_stream[1], block, adjacency, reduction=reduction, get_res=True
            )
        ]
        for before, after in zip(main_stream[1:-1], main_stream[2:], strict=True):
            stride = 1 if before == after else 2
            layers.append(ResGCNModule(before, after, block, adjacency, stride=stride, reduction=reduction))
        self.backbone = nn.ModuleList(layers)
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.fcn = nn.Linear(main_stream[-1], num_class)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, i, c, t, v]` to `[n, num_class]`."""
        x = torch.cat([branch(x[:, index]) for index, branch in enumerate(self.head)], dim=1)
        # A branch's adjacency is a buffer, so it is on the network's device.
        adjacency = self.head[0].A
        for layer in self.backbone:
            x = layer(x, adjacency)
        return self.fcn(self.global_pooling(x).flatten(1))
