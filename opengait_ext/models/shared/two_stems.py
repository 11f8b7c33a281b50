"""A ResNet with a stem per modality in front of shared stages, as AGW (Ye et al., 2021) and its successors use."""

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from opengait_ext.models.shared.modality import INFRARED, VISIBLE
from opengait_ext.models.shared.resnet import STAGE_STRIDES, ResNetStages, load_stages
from opengait_ext.weights.read import load_exactly


class Stem(nn.Module):
    """The stem of a ResNet: 7x7 convolution of stride 2, norm, ReLU and max pooling, to a quarter of the input size.

    Args:
        channels: output channels.
        relu: whether to apply the ReLU, which DinoGRL's release omits.
        pool: whether to apply max pooling; without it, for small frames, the output is half the input size.
    """

    def __init__(self, channels: int = 64, relu: bool = True, pool: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if pool else nn.Identity()
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, frames: Tensor) -> Tensor:
        return self.maxpool(self.relu(self.bn1(self.conv1(frames))))


class TwoStemResNet(nn.Module):
    """A stem for each modality, then the four stages of a ResNet, which both share.

    Args:
        backbone: "resnet50", "resnet34", "resnet18" or "resnet10".
        weights: torchvision's ImageNet file, or None for random weights.
        width: channels of the first stage.
        non_local: whether stages 2 and 3 have AGW's non-local blocks.
        stem_relu, stem_pool: see `Stem`.
        strides, non_local_width: see `ResNetStages`.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        weights: str | None = None,
        width: int = 64,
        non_local: bool = True,
        stem_relu: bool = True,
        stem_pool: bool = True,
        strides: Sequence[int] = STAGE_STRIDES,
        non_local_width: Annotated[int, "positive int"] | None = None,
    ) -> None:
        super().__init__()
        self.stems = nn.ModuleList([Stem(width, stem_relu, stem_pool) for _ in (VISIBLE, INFRARED)])
        self.stages = ResNetStages(backbone, width, width, non_local, strides, non_local_width)
        self.out_channels = self.stages.out_channels
        if weights is not None:
            entries = load_stages(self.stages, weights, backbone, width, width)
            for stem in self.stems:
                load_exactly(stem, entries, weights, f"the stem of {backbone}")

    def forward(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Return the maps of frames.

        Args:
            frames: (f, 3, height, width), ImageNet-normalised.
            modality: (f), 0 visible, 1 infrared.

        Returns:
            (f, out_channels, height / 16, width / 16), with the default stem and strides.
        """
        maps: Tensor = self.stages(self.enter(frames, modality))
        return maps

    def enter(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Pass each frame (f, 3, h, w) through the stem of its modality (f), keeping the order."""
        groups = [torch.nonzero(modality == index).flatten() for index in (VISIBLE, INFRARED)]
        # A stem runs without frames too, since DDP waits for every gradient and synchronised norms for every process.
        maps = [stem(frames[group]) for stem, group in zip(self.stems, groups, strict=True)]
        return torch.cat(maps)[torch.cat(groups).argsort()]
