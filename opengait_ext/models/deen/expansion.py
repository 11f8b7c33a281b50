"""Diverse embedding expansion (DEE): two generated versions of every map, beside the map itself."""

import torch
from torch import Tensor, nn

from opengait.utils.typed import Share

DILATIONS = (1, 2, 3)
# Convolutions narrow the maps to a quarter of their channels.
REDUCTION = 4
BRANCHES = 2
VERSIONS = 1 + BRANCHES


class Branch(nn.Module):
    """Makes one version of maps: P relu(mean of 3x3 convolutions at dilations 1, 2 and 3), where P is 1x1 with a bias.

    Shape: (f, channels, h, w) -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // REDUCTION, 1)
        self.dilated = nn.ModuleList(
            nn.Conv2d(channels, inner, 3, padding=rate, dilation=rate, bias=False) for rate in DILATIONS
        )
        self.project = nn.Conv2d(inner, channels, 1)
        for layer in (*self.dilated, self.project):
            nn.init.kaiming_normal_(layer.get_parameter("weight"), mode="fan_in")

    def forward(self, maps: Tensor) -> Tensor:
        mean = torch.stack([layer(maps) for layer in self.dilated]).mean(0)
        version: Tensor = self.project(mean.relu())
        return version


class EmbeddingExpansion(nn.Module):
    """DEE: triples the batch, the maps themselves first, then both versions of all; all pass a dropout.

    Args:
        channels: of the maps.
        dropout: share of the values that the dropout sets to 0 in training.

    Shape: (f, channels, h, w) -> (3f, channels, h, w).
    """

    def __init__(self, channels: int, dropout: Share = 0.01) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(channels) for _ in range(BRANCHES))
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        expanded: Tensor = self.dropout(torch.cat([maps, *(branch(maps) for branch in self.branches)]))
        return expanded
