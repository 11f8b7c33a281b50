"""Self-attention over the joints of all frames."""

from typing import Any

import torch
from torch import nn

from opengait.errors import ConfigError


class SpatialAttention(nn.Module):
    """Multi-head self-attention over all t*v positions of a skeleton sequence (upstream `SpatialAttention`).

    Args:
        in_channels: channels of the input.
        out_channel: channels of the values and of the output.
        A: adjacency `[hops, v, v]`; ignored, as in OpenGait.
        num_point: number of joints; ignored.
        dk_factor: channels of queries and keys, as a share of `out_channel`.
        kernel_size: kernel size of the convolution that computes queries, keys and values.
        Nh: number of heads; consecutive channels form a head.
        num: ignored.
        stride: must be 1.

    Raises:
        ConfigError: the channels cannot be divided evenly among the heads, or the stride is not 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channel: int,
        A: Any,
        num_point: int,
        dk_factor: float = 0.25,
        kernel_size: int = 1,
        Nh: int = 8,
        num: int = 4,
        stride: int = 1,
    ) -> None:
        del A, num_point, num
        super().__init__()
        self.dk, self.dv, self.Nh = int(dk_factor * out_channel), out_channel, Nh
        if self.dk == 0 or self.dk % Nh or self.dv % Nh:
            raise ConfigError(
                f"SpatialAttention: {self.dk} key and {self.dv} value channels cannot be divided among {Nh} heads."
            )
        if stride != 1:
            raise ConfigError(f"SpatialAttention: expected stride 1, got {stride}.")
        self.qkv_conv = nn.Conv2d(in_channels, 2 * self.dk + self.dv, kernel_size, padding=(kernel_size - 1) // 2)
        self.attn_out = nn.Conv2d(self.dv, self.dv, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, in_channels, t, v]` to `[n, out_channel, t, v]`."""
        query, key, value = (
            part.flatten(2).unflatten(1, (self.Nh, -1))
            for part in self.qkv_conv(x).split([self.dk, self.dk, self.dv], dim=1)
        )
        scores = (query * (self.dk // self.Nh) ** -0.5).transpose(2, 3) @ key
        attended = value @ scores.softmax(dim=-1).transpose(2, 3)
        return self.attn_out(attended.flatten(1, 2).unflatten(2, x.shape[2:]))
