"""F_attn of Eq. 6: attention-based fusion of the gait and the appearance prior."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock


class PriorStem(nn.Module):
    """Stem that maps one prior to the width of the fusion: 3x3 convolution, norm, ReLU and a residual block."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(BasicBlock(channels, channels))

    def forward(self, maps: Tensor) -> Tensor:
        if maps.device.type == "cpu":
            # Priors scattered from rows of tokens are channels-last in memory, and all later maps would inherit that
            # layout. Batch norm then loses digits on CPUs: the fusion's gradients over 24 frames are off by 2e-3
            # instead of 1e-5.
            maps = maps.contiguous()
        return self.layer1(self.relu(self.bn1(self.conv1(maps))))


class AttentionFusion(nn.Module):
    """Attention-weighted sum of two maps, per position and channel (SkeletonGait's fusion, as BigGait uses it).

    Args:
        channels: of each map.
        squeeze: the bottleneck has `channels // squeeze` channels.

    Shape: (f, channels, h, w) twice -> (f, channels, h, w).
    """

    def __init__(self, channels: int = 64, squeeze: int = 16) -> None:
        super().__init__()
        hidden = max(channels // squeeze, 1)
        self.conv: nn.Module = nn.Sequential(
            nn.Conv2d(2 * channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, 2 * channels, 1, bias=False),
        )

    def forward(self, gait: Tensor, appearance: Tensor) -> Tensor:
        # Channel 2c + d weighs channel c of input d, the release's order.
        scores = self.conv(torch.cat([gait, appearance], dim=1)).unflatten(1, (-1, 2))
        weights = scores.softmax(dim=2)
        return gait * weights[:, :, 0] + appearance * weights[:, :, 1]


class PriorFusion(nn.Module):
    """Both stems and their fusion; if one prior is absent (Table 5), the other passes through its stem alone.

    Args:
        priors: channels of each prior (E_g and E_a).
        channels: of the result.
        gait, appearance: whether that prior takes part.
    """

    def __init__(self, priors: int = 16, channels: int = 64, gait: bool = True, appearance: bool = True) -> None:
        super().__init__()
        self.pre_part = PriorStem(priors, channels) if gait else None
        self.pre_rgb = PriorStem(priors, channels) if appearance else None
        self.fusion = AttentionFusion(channels) if gait and appearance else None

    def forward(self, gait: Tensor | None, appearance: Tensor | None) -> Tensor:
        stems = (self.pre_part, gait), (self.pre_rgb, appearance)
        maps = [stem(prior) for stem, prior in stems if stem is not None]
        return maps[0] if self.fusion is None else self.fusion(*maps)
