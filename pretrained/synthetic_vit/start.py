"""Initialisation that lets a small vision transformer learn from little data.

Attention starts as a soft convolution: nearby patches have similar position codes, queries and keys compare these
codes, and values are projected back with the opposite sign. Mimetic initialisation (Trockman and Kolter, ICML 2023)
observed this structure in trained transformers.
"""

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor


@torch.no_grad()
def start_as_convolution(transformer: VisionTransformer) -> None:
    """Set the position table and the attention weights; everything else keeps timm's initialisation."""
    transformer.pos_embed.zero_()
    transformer.pos_embed[0, transformer.num_prefix_tokens :] = 0.5 * position_waves(
        transformer.patch_embed.grid_size, transformer.embed_dim
    )
    for block in transformer.blocks:
        start_attention(block.attn.qkv.weight, block.attn.proj.weight, block.attn.num_heads)


def position_waves(grid: tuple[int, int], channels: int) -> Tensor:
    """Return sines and cosines of rows and columns at several rates, (rows * columns, channels)."""
    rates = 1 / 30 ** (torch.arange(channels // 4) / (channels // 4))
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    angles = [axis.flatten()[:, None] * rates for axis in (rows, columns)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


def start_attention(qkv: Tensor, projection: Tensor, heads: int) -> None:
    """Set Wq' Wk of every head to about 0.7 times the identity, and projection times values to about -0.4 times it."""
    channels = projection.shape[0]
    width = channels // heads
    for head in range(heads):
        left, sizes, right = torch.linalg.svd(near_identity(0.7, 0.3, channels))
        rows = slice(head * width, (head + 1) * width)
        qkv[:channels][rows] = (left[:, :width] * sizes[:width].sqrt()).T
        qkv[channels : 2 * channels][rows] = right[:width] * sizes[:width].sqrt()[:, None]
    left, sizes, right = torch.linalg.svd(near_identity(0.4, 0.4, channels))
    qkv[2 * channels :] = right * sizes.sqrt()[:, None]
    projection.copy_(-left * sizes.sqrt())


def near_identity(diagonal: float, noise: float, channels: int) -> Tensor:
    """Return a multiple of the identity plus noise of that norm per row."""
    return diagonal * torch.eye(channels) + noise * torch.randn(channels, channels) / channels**0.5
