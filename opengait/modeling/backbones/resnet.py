"""The residual network of GaitBase."""

from collections.abc import Sequence

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from opengait.errors import ConfigError
from opengait.modeling.modules import BasicConv2d, conv1x1

BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"BasicBlock": BasicBlock, "Bottleneck": Bottleneck}


class ResNet9(nn.Module):
    """Four stages of torchvision's residual blocks after a 3x3 stem (upstream `ResNet9`).

    Args:
        block: `BasicBlock` or `Bottleneck`.
        channels: width of each stage (a bottleneck's output is four times as wide).
        in_channel: channels of the input.
        layers: blocks of each stage; a stage of 0 blocks is the identity.
        strides: stride of each stage.
        maxpool: add a 3x3 max pooling of stride 2 after the stem.

    Raises:
        ConfigError: the block is unknown.
    """

    def __init__(
        self,
        block: str,
        channels: Sequence[int] = (32, 64, 128, 256),
        in_channel: int = 1,
        layers: Sequence[int] = (1, 2, 2, 1),
        strides: Sequence[int] = (1, 2, 2, 1),
        maxpool: bool = True,
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise ConfigError(f"ResNet9: expected one of {', '.join(BLOCKS)}, got {block!r}.")
        self.block = BLOCKS[block]
        self.maxpool_flag = maxpool
        self.inplanes = channels[0]
        self.conv1 = BasicConv2d(in_channel, self.inplanes, 3, 1, 1)
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(self.block, channels[0], layers[0], strides[0])
        self.layer2 = self._make_layer(self.block, channels[1], layers[1], strides[1])
        self.layer3 = self._make_layer(self.block, channels[2], layers[2], strides[2])
        self.layer4 = self._make_layer(self.block, channels[3], layers[3], strides[3])
        self.fc = None

    def _make_layer(
        self, block: type[BasicBlock] | type[Bottleneck], planes: int, blocks: int, stride: int = 1
    ) -> nn.Module:
        """Return a stage with `inplanes` input channels, and set `inplanes` to its output width."""
        if blocks == 0:
            return nn.Identity()
        downsample: nn.Module | None = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, planes * block.expansion, stride), nn.BatchNorm2d(planes * block.expansion)
            )
        stage: list[nn.Module] = [block(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes * block.expansion
        stage += [block(self.inplanes, planes) for _ in range(blocks - 1)]
        return nn.Sequential(*stage)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, in_channel, h, w]` to `[n, c, h', w']`."""
        x = self.relu(self.bn1(self.conv1(x)))
        if self.maxpool_flag:
            x = self.maxpool(x)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))
