"""A helper in a folder without `__init__.py`, which imports the engine from one level deeper."""

import torch
import torch.nn as nn
from utils import clones

from ...modules import BasicConv2d


class PartGates(nn.Module):
    def __init__(self, channels, parts_num):
        super().__init__()
        self.gates = clones(nn.Conv1d(channels, channels, 1), parts_num)
        self.mix = BasicConv2d(channels, channels, 1, 1, 0)

    def forward(self, x):
        x = self.mix(x.unsqueeze(-1)).squeeze(-1)
        return torch.cat([gate(part) for gate, part in zip(self.gates, x.split(1, -1), strict=True)], -1)
