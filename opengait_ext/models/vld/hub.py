"""VLD's space-time hub (STH) and the aggregation of what it gathers (STA)."""

import torch
from torch import Tensor, nn


class SpaceTimeHub(nn.Module):
    """Learned prompts that travel between the frames of a tracklet: each of a frame's s tokens visits one frame.

    Args:
        frames: s, of a tracklet.
        channels: c.
    """

    def __init__(self, frames: int, channels: int) -> None:
        super().__init__()
        self.frames = frames
        self.prompts = nn.Parameter(torch.randn(frames, frames, channels))

    def enter(self, tokens: Tensor) -> Tensor:
        """Append row t of the prompts to the tokens of frame t of each tracklet, (n * s, k, c) -> (n * s, k + s, c)."""
        prompts = self.prompts.to(tokens.dtype).repeat(tokens.shape[0] // self.frames, 1, 1)
        return torch.cat([tokens, prompts], dim=1)

    def exchange(self, tokens: Tensor) -> Tensor:
        """Swap the last s tokens of each tracklet's frames: token p of frame t becomes token t of frame p.

        Shape: (n * s, k + s, c) -> the same.
        """
        return torch.cat([tokens[:, : -self.frames], self.gathered(tokens).transpose(1, 2).flatten(0, 1)], dim=1)

    def gathered(self, tokens: Tensor) -> Tensor:
        """Return the last s tokens of all frames of each tracklet, (n * s, k + s, c) -> (n, s, s, c)."""
        return tokens[:, -self.frames :].unflatten(0, (-1, self.frames))


class HubAttention(nn.Module):
    """STA: each frame's class token reads all hub tokens of its tracklet.

    Args:
        channels: c.
        heads: of the attention.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)

    def forward(self, classes: Tensor, hub: Tensor) -> Tensor:
        """Return what each frame reads, (n, s, c), of class tokens (n, s, c) and hub tokens (n, s, s, c)."""
        tokens = hub.flatten(1, 2)
        read: Tensor = self.attention(classes, tokens, tokens, need_weights=False)[0]
        return read
