"""What the demo's vision transformer learns: who is a person, and which part of one a patch shows."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Objective(nn.Module):
    """Three terms on the patch tokens of the last layer.

    - foreground: a linear head tells the share of a patch that a person covers;
    - compactness: tokens lie near the line between two learned centres, at the place of that share, so that person
      against background is what varies most in them. This is what L_mask (Eq. 5) finds again without any label;
    - parts: a linear head tells where in the box a person's patch lies, so that tokens know head from foot.

    L_mask splits tokens at their mean, and a person covers about a quarter of a frame, so a patch that is half covered
    would fall on the person's side with room to spare. Shares are raised to a power that puts half onto the mean.

    Args:
        channels: of a token.
        grid: patches as (rows, columns).
    """

    POWER = 1.8

    def __init__(self, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.foreground = nn.Linear(channels, 1)
        self.position = nn.Linear(channels, 2)
        self.centres = nn.Parameter(0.5 * torch.randn(2, channels))
        rows, columns = (torch.linspace(-1, 1, count) for count in grid)
        self.register_buffer("places", torch.cartesian_prod(rows, columns).unsqueeze(0))

    def forward(self, tokens: Tensor, silhouettes: Tensor) -> dict[str, Tensor]:
        """The terms and their weighted `total`.

        Args:
            tokens: (n, rows * columns, channels), after the final norm.
            silhouettes: float (n, 1, height, width), 1 on the person.
        """
        share = F.adaptive_avg_pool2d(silhouettes, self.grid).flatten(1) ** self.POWER
        wanted = self.centres[0] + (self.centres[1] - self.centres[0]) * share.unsqueeze(-1)
        terms = {
            "foreground": F.binary_cross_entropy_with_logits(self.foreground(tokens).squeeze(-1), share),
            "compactness": (tokens - wanted).square().mean(),
            "parts": ((self.position(tokens) - self.places).square() * share.unsqueeze(-1)).mean(),
        }
        terms["total"] = terms["foreground"] + 0.5 * terms["compactness"] + 0.5 * terms["parts"]
        return terms
