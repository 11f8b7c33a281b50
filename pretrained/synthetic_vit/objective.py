"""Objective of the demo's vision transformer: to tell people from the background, and parts of a person apart."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Objective(nn.Module):
    """Three terms on the patch tokens of the last layer.

    - foreground: a linear head predicts the share of a patch that a person covers;
    - compactness: tokens are pulled to a point between two learned centres that depends on this share, so that person
      against background is their main direction of variation, which L_mask (Eq. 5) recovers without labels;
    - parts: a linear head predicts the position of a person's patch in the frame, so that head and feet differ.

    L_mask splits tokens at their mean. A person covers about a quarter of a frame, so a half-covered patch would lie
    clearly on the person's side. Shares are raised to a power that maps one half to the mean.

    Args:
        channels: channels of a token.
        grid: (rows, columns) of patches.
    """

    POWER = 1.8

    def __init__(self, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.foreground = nn.Linear(channels, 1)
        self.position = nn.Linear(channels, 2)
        self.centres = nn.Parameter(0.5 * torch.randn(2, channels))
        rows, columns = (torch.linspace(-1, 1, count) for count in grid)
        self.register_buffer("positions", torch.cartesian_prod(rows, columns).unsqueeze(0))

    def forward(self, tokens: Tensor, silhouettes: Tensor) -> dict[str, Tensor]:
        """Return the terms and their weighted `total`.

        Args:
            tokens: (n, rows * columns, channels), after the final norm.
            silhouettes: float (n, 1, height, width), 1 inside the person.
        """
        share = F.adaptive_avg_pool2d(silhouettes, self.grid).flatten(1) ** self.POWER
        target = self.centres[0] + (self.centres[1] - self.centres[0]) * share.unsqueeze(-1)
        terms = {
            "foreground": F.binary_cross_entropy_with_logits(self.foreground(tokens).squeeze(-1), share),
            "compactness": (tokens - target).square().mean(),
            "parts": ((self.position(tokens) - self.positions).square() * share.unsqueeze(-1)).mean(),
        }
        terms["total"] = terms["foreground"] + 0.5 * terms["compactness"] + 0.5 * terms["parts"]
        return terms
