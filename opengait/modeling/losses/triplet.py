"""The batch-all triplet loss."""

import torch
import torch.nn.functional as F

from opengait.modeling.losses.base import BaseLoss, at_least_float32, gather_and_scale_wrapper


class TripletLoss(BaseLoss):
    """Hinge over all triplets of a batch, averaged over those that are not zero (upstream `TripletLoss`).

    `L = mean over non-zero of [D(a, p) - D(a, n) + margin]_+`, for every part by itself, where a runs over the batch,
    p over the rows of the same label (a itself included) and n over the rows of other labels. Labels may have
    different numbers of rows.

    Args:
        margin: what a negative must be farther away than a positive.
        loss_term_weight: factor of this loss in the sum.
        squared: D is the squared euclidean distance; otherwise the euclidean distance.
        normalise: distances are of embeddings of length one, so that the margin does not depend on their scale.
    """

    def __init__(
        self, margin: float, loss_term_weight: float = 1.0, squared: bool = False, normalise: bool = False
    ) -> None:
        super().__init__(loss_term_weight)
        self.margin = margin
        self.squared = squared
        self.normalise = normalise

    @gather_and_scale_wrapper
    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of each part.

        Args:
            embeddings: `[n, c, p]`; half precision is computed in float32.
            labels: `[n]` identities.

        Returns:
            Loss `[p]`, and info, each `[p]`: `loss`; `hard_loss`, the largest hinge; `loss_num`, how many triplets
            are not zero; `mean_dist`, the mean of all n*n distances.

        Raises:
            ValueError: shapes that do not fit.
        """
        if embeddings.dim() != 3 or labels.shape != embeddings.shape[:1]:
            raise ValueError(
                f"TripletLoss takes embeddings [n, c, p] and labels [n], "
                f"not {list(embeddings.shape)} and {list(labels.shape)}."
            )
        # Contiguous, since products of strided matrices are rounded several times more coarsely on the CPU.
        parts = at_least_float32(embeddings).permute(2, 0, 1).contiguous()
        if self.normalise:
            parts = F.normalize(parts, dim=2)
        distances = pairwise_distances(parts, squared=self.squared)

        same = labels[:, None] == labels[None, :]
        anchor, positive = same.nonzero(as_tuple=True)
        # Every (anchor, positive) pair against every row, then rows that are no negative of the anchor struck out:
        # unlike a reshape this does not need the same number of positives for every anchor.
        hinges = F.relu(distances[:, anchor, positive].unsqueeze(2) - distances[:, anchor] + self.margin)
        hinges = hinges.masked_fill(same[anchor], 0.0)
        loss, active = mean_of_nonzero(hinges)
        hardest = hinges.detach().flatten(1).amax(1)
        self.info.update(
            loss=loss.detach().clone(), hard_loss=hardest, loss_num=active, mean_dist=distances.detach().mean((1, 2))
        )
        return loss, self.info


def pairwise_distances(x: torch.Tensor, squared: bool = False) -> torch.Tensor:
    """Euclidean distances between the rows of each part: `[p, n, c]` to `[p, n, n]`.

    Computed as `sqrt(relu(|x|^2 + |y|^2 - 2 x.y))`. A row's distance to itself is exactly 0 without gradient, and so
    is the gradient wherever the square root has none (at 0).
    """
    squares = x.square().sum(2)
    gaps = F.relu(squares.unsqueeze(2) + squares.unsqueeze(1) - 2 * x @ x.transpose(1, 2))
    # Rounding leaves noise on the diagonal; the root would turn it into gradients of arbitrary size.
    gaps = gaps.masked_fill(torch.eye(x.shape[1], dtype=torch.bool, device=x.device), 0.0)
    if squared:
        return gaps
    positive = gaps > 0
    return torch.where(positive, gaps, 1.0).sqrt() * positive


def mean_of_nonzero(hinges: torch.Tensor, eps: float = 1e-9) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of the non-zero entries of each part `[p, ...]`, 0 where there are none, and their number; both `[p]`."""
    hinges = hinges.flatten(1)
    active = (hinges != 0).sum(1).to(hinges.dtype)
    return hinges.sum(1) / (active + eps), active
