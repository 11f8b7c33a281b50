"""The silhouette segmentation network of GaitEdge."""

import torch
import torch.nn.functional as F
from torch import nn


class U_Net(nn.Module):  # noqa: N801 (upstream's name)
    """A four-level U-Net of 16 to 128 channels (upstream `U_Net`).

    Args:
        in_channels: channels of the input.
        freeze_half: freeze the encoder: its parameters require no gradient, and it runs without autograd. Its
            batch norms still update their statistics in training mode, as in OpenGait.
    """

    def __init__(self, in_channels: int = 3, freeze_half: bool = True) -> None:
        super().__init__()
        self.Conv1 = ConvBlock(in_channels, 16)
        self.Conv2 = ConvBlock(16, 32)
        self.Conv3 = ConvBlock(32, 64)
        self.Conv4 = ConvBlock(64, 128)
        self.Up4 = UpConv(128, 64)
        self.Up_conv4 = ConvBlock(128, 64)
        self.Up3 = UpConv(64, 32)
        self.Up_conv3 = ConvBlock(64, 32)
        self.Up2 = UpConv(32, 16)
        self.Up_conv2 = ConvBlock(32, 16)
        self.Conv_1x1 = nn.Conv2d(16, 1, kernel_size=1)
        self.freeze = freeze_half
        if freeze_half:
            for block in (self.Conv1, self.Conv2, self.Conv3, self.Conv4):
                block.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, in_channels, h, w]` to logits `[n, 1, h, w]`.

        Raises:
            ValueError: height or width is not divisible by 8.
        """
        if x.shape[2] % 8 or x.shape[3] % 8:
            raise ValueError(f"U_Net: expected sides divisible by 8, got {x.shape[2]}x{x.shape[3]}.")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            skip1 = self.Conv1(x)
            skip2 = self.Conv2(F.max_pool2d(skip1, 2))
            skip3 = self.Conv3(F.max_pool2d(skip2, 2))
            deepest = self.Conv4(F.max_pool2d(skip3, 2))
        up = self.Up_conv4(torch.cat([skip3, self.Up4(deepest)], dim=1))
        up = self.Up_conv3(torch.cat([skip2, self.Up3(up)], dim=1))
        up = self.Up_conv2(torch.cat([skip1, self.Up2(up)], dim=1))
        return self.Conv_1x1(up)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions with bias, each with batch norm and ReLU, named `conv.0` to `conv.5`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, in, h, w]` to `[n, out, h, w]`."""
        return self.conv(x)


class UpConv(nn.Module):
    """Nearest-neighbour upsampling by 2, then a 3x3 convolution with bias, batch norm and ReLU, `up.0` to `up.3`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, in, h, w]` to `[n, out, 2h, 2w]`."""
        return self.up(x)
