"""BiggerGait's trained parts: the human space that every group of layers is mapped to, and the gait networks."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait.modeling.modules import (
    HorizontalPoolingPyramid,
    PackSequenceWrapper,
    SeparateBNNecks,
    SeparateFCs,
    SetBlockWrapper,
)


class ResizeTo(nn.Module):
    """Bilinear resizing of (f, c, h, w) to `size`, (height, width)."""

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, maps: Tensor) -> Tensor:
        return F.interpolate(maps, size=self.size, mode="bilinear", align_corners=False)


class HumanSpaceConv(nn.Sequential):
    """One group of layers to a few channels of what matters of a person (upstream `HumanSpace_Conv.<i>`).

    Args:
        in_channels: of the group: its layers times the vision model's width.
        hidden: of the layer between.
        channels: of the result.
        size: (height, width) of the result.
        affine: whether the second and third norm have weights; the first has none.

    Shape: (f, in_channels, h, w) -> (f, channels, *size), in 0..1.
    """

    def __init__(self, in_channels: int, hidden: int, channels: int, size: Sequence[int], affine: bool = True) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels, affine=False),
            nn.Conv2d(in_channels, hidden, kernel_size=1),
            nn.BatchNorm2d(hidden, affine=affine),
            nn.GELU(),
            nn.Conv2d(hidden, channels, kernel_size=1),
            ResizeTo(size),
            nn.BatchNorm2d(channels, affine=affine),
            nn.Sigmoid(),
        )


class Stem(nn.Module):
    """The first half of a residual network: its stem and first stage (BigGait's `pre_rgb`)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.conv1 = network.conv1
        self.bn1 = network.bn1
        self.relu = network.relu
        self.maxpool = network.maxpool if network.maxpool_flag else nn.Identity()
        self.layer1 = network.layer1

    def forward(self, x: Tensor) -> Tensor:
        return self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))


class Stages(nn.Module):
    """The second half of a residual network: its last three stages (BigGait's `post_backbone`)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.layer2 = network.layer2
        self.layer3 = network.layer3
        self.layer4 = network.layer4

    def forward(self, x: Tensor) -> Tensor:
        return self.layer4(self.layer3(self.layer2(x)))


class GaitNetwork(nn.Module):
    """GaitBase on the maps of one group, under the names that BigGait gives its parts.

    Args:
        network: a residual network such as `ResNet9`.
        model_cfg: has `SeparateFCs`, `SeparateBNNecks` and `bin_num`.

    Raises:
        ConfigError: they disagree about the number of parts.
    """

    def __init__(self, network: nn.Module, model_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.pre_rgb = SetBlockWrapper(Stem(network))
        self.post_backbone = SetBlockWrapper(Stages(network))
        self.FCs = SeparateFCs(**model_cfg["SeparateFCs"])
        self.BNNecks = SeparateBNNecks(**model_cfg["SeparateBNNecks"])
        self.TP = PackSequenceWrapper(torch.max)
        self.HPP = HorizontalPoolingPyramid(bin_num=model_cfg["bin_num"])
        parts = sum(self.HPP.bin_num)
        if {self.FCs.p, self.BNNecks.p} != {parts}:
            raise ConfigError(
                f"model_cfg.bin_num {self.HPP.bin_num} gives {parts} parts, but SeparateFCs has {self.FCs.p} and "
                f"SeparateBNNecks {self.BNNecks.p}; parts_num must be the same number."
            )

    def maps(self, frames: Tensor) -> Tensor:
        """(n, c, s, h, w) to maps (n, c', s, h', w'), each frame for itself."""
        return self.post_backbone(self.pre_rgb(frames))

    def describe(self, maps: Tensor, seqL: Tensor | None) -> tuple[Tensor, Tensor]:  # noqa: N803 (upstream's name)
        """The maximum over each tracklet's frames, as embeddings (n, 256, p) and logits (n, classes, p)."""
        pooled = self.TP(maps, seqL, options={"dim": 2})[0]
        embeddings = self.FCs(self.HPP(pooled))
        return embeddings, self.BNNecks(embeddings)[1]


class GaitNetworks(nn.Module):
    """A gait network for every group of layers; neighbouring groups share one (upstream `Gait_Net`).

    `real_gait` holds the networks and `Gait_List` one entry a group, so that a state dict names every parameter under
    both.

    Args:
        networks: of the heads.
        groups: how many groups of layers there are, a multiple of the networks.
    """

    def __init__(self, networks: Sequence[GaitNetwork], groups: int) -> None:
        super().__init__()
        self.real_gait = nn.ModuleList(networks)
        self.Gait_List = nn.ModuleList(networks[group * len(networks) // groups] for group in range(groups))

    def maps(self, groups: Sequence[Tensor]) -> list[Tensor]:
        """Each group's (n, c, s, h, w) through its network."""
        return [network.maps(frames) for network, frames in zip(self.Gait_List, groups, strict=True)]

    def describe(
        self,
        maps: Sequence[Tensor],
        seqL: Tensor | None,  # noqa: N803 (upstream's name)
    ) -> tuple[Tensor, Tensor]:
        """Embeddings (n, 256, groups * p) and logits (n, classes, groups * p), the groups' parts one after another."""
        pairs = [network.describe(group, seqL) for network, group in zip(self.Gait_List, maps, strict=True)]
        embeddings, logits = zip(*pairs, strict=True)
        return torch.cat(embeddings, dim=-1), torch.cat(logits, dim=-1)
