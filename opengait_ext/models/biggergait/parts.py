"""BiggerGait's trained parts: the projections of groups of layers to the human space, and the gait networks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from opengait_ext.models.shared.gaitbase import GaitBase


class HumanSpaceConv(nn.Sequential):
    """Projection of one group of layers to a few channels that describe the person (upstream `HumanSpace_Conv.<i>`).

    Args:
        in_channels: channels of the group, its layers times the vision model's width.
        hidden: channels of the hidden layer.
        channels: output channels.
        size: (height, width) of the result.
        affine: whether the second and third norm have affine parameters; upstream's have none, nor has the first.

    Shape: (f, in_channels, h, w) -> (f, channels, *size), in 0..1.
    """

    def __init__(self, in_channels: int, hidden: int, channels: int, size: Sequence[int], affine: bool = False) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels, affine=False),
            nn.Conv2d(in_channels, hidden, kernel_size=1),
            nn.BatchNorm2d(hidden, affine=affine),
            nn.GELU(),
            nn.Conv2d(hidden, channels, kernel_size=1),
            nn.Upsample(size=tuple(size), mode="bilinear", align_corners=False),
            nn.BatchNorm2d(channels, affine=affine),
            nn.Sigmoid(),
        )


class GaitNetworks(nn.Module):
    """GaitBase networks for all groups of layers, shared by neighbouring groups (upstream `Gait_Net`).

    `real_gait` holds the networks and `Gait_List` one entry per group, so a state dict lists every parameter under
    both.

    Args:
        networks: the gait networks.
        groups: number of groups of layers, a multiple of the number of networks.
    """

    def __init__(self, networks: Sequence[GaitBase], groups: int) -> None:
        super().__init__()
        self.real_gait = nn.ModuleList(networks)
        self.per_group = [networks[group * len(networks) // groups] for group in range(groups)]
        self.Gait_List = nn.ModuleList(self.per_group)

    def maps(self, groups: Sequence[Tensor]) -> list[Tensor]:
        """Pass each group's frames (f, c, h, w) through its network."""
        return [network.maps(frames) for network, frames in zip(self.per_group, groups, strict=True)]

    def describe(self, maps: Sequence[Tensor], lengths: Any) -> tuple[Tensor, Tensor]:
        """Return embeddings (n, c, groups * p) and logits (n, classes, groups * p), group by group.

        Args:
            maps: maps of each group, (n, s, c', h', w').
            lengths: see `GaitBase.describe`.
        """
        pairs = [network.describe(group, lengths) for network, group in zip(self.per_group, maps, strict=True)]
        embeddings, logits = zip(*pairs, strict=True)
        return torch.cat(embeddings, dim=-1), torch.cat(logits, dim=-1)
