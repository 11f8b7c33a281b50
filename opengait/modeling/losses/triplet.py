"""The batch-all triplet loss."""

import torch
import torch.nn.functional as F

from opengait.modeling.losses.base import BaseLoss, at_least_float32, gather_and_scale_wrapper

# Number of hinges up to which a GPU computes those of all triples of rows, 64 MiB in float32, instead of waiting for
# the positions of the positives.
ALL_TRIPLES = 2**24


class TripletLoss(BaseLoss):
    """Hinge over all triplets of a batch, averaged over the non-zero ones (upstream `TripletLoss`).

    `L = mean over non-zero of [D(a, p) - D(a, n) + margin]_+`, for each part separately, where a runs over the batch,
    p over the rows with the same label (including a) and n over the rows with other labels. Labels may have different
    numbers of rows.

    Args:
        margin: the distance by which a negative must be farther away than a positive.
        loss_term_weight: factor of this loss in the sum.
        squared: use squared euclidean distances instead of euclidean ones.
        normalise: compare embeddings of unit length, which makes the margin independent of their scale.
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
        """Return the loss of each part.

        Args:
            embeddings: `[n, c, p]`; half precision is computed in float32.
            labels: `[n]` identities.

        Returns:
            Loss `[p]`, and info, each `[p]`: `loss`; `hard_loss`, the largest hinge; `loss_num`, the number
            of non-zero triplets; `mean_dist`, the mean of all n*n distances.

        Raises:
            ValueError: the shapes do not match.
        """
        if embeddings.dim() != 3 or labels.shape != embeddings.shape[:1]:
            raise ValueError(
                f"TripletLoss expected embeddings [n, c, p] and labels [n], "
                f"got {list(embeddings.shape)} and {list(labels.shape)}."
            )
        # Contiguous, since rounding errors of products of strided matrices are several times larger on the CPU.
        parts = at_least_float32(embeddings).permute(2, 0, 1).contiguous()
        if self.normalise:
            parts = F.normalize(parts, dim=2)
        distances = pairwise_distances(parts, squared=self.squared)

        same = labels[:, None] == labels[None, :]
        if distances.device.type != "cpu" and len(parts) * len(same) ** 3 <= ALL_TRIPLES:
            hinges = all_hinges(distances, same, self.margin)
        else:
            hinges = hinges_of_positives(distances, same, self.margin)
        loss, active = mean_of_nonzero(hinges)
        hardest = hinges.detach().flatten(1).amax(1)
        self.info.update(
            loss=loss.detach().clone(), hard_loss=hardest, loss_num=active, mean_dist=distances.detach().mean((1, 2))
        )
        return loss, self.info


def hinges_of_positives(distances: torch.Tensor, same: torch.Tensor, margin: float) -> torch.Tensor:
    """Return the hinges of every (anchor, positive) pair with every row, zero for rows that are not negatives.

    Unlike a reshape, this works for anchors with different numbers of positives.

    Args:
        distances: `[p, n, n]`.
        same: whether two rows have the same label, bool `[n, n]`.
        margin: see `TripletLoss`.

    Returns:
        `[p, pairs, n]`.
    """
    anchor, positive = same.nonzero(as_tuple=True)
    hinges = F.relu(distances[:, anchor, positive].unsqueeze(2) - distances[:, anchor] + margin)
    return hinges.masked_fill(same[anchor], 0.0)


def all_hinges(distances: torch.Tensor, same: torch.Tensor, margin: float) -> torch.Tensor:
    """Return `hinges_of_positives` with zeros for pairs of other labels: `[p, n, n, n]`, whatever the labels are."""
    hinges = F.relu(distances.unsqueeze(3) - distances.unsqueeze(2) + margin)
    return hinges.masked_fill(~same.unsqueeze(2) | same.unsqueeze(1), 0.0)


def pairwise_distances(x: torch.Tensor, squared: bool = False) -> torch.Tensor:
    """Return the euclidean distances between the rows of each part: `[p, n, c]` to `[p, n, n]`.

    They are computed as `sqrt(relu(|x|^2 + |y|^2 - 2 x.y))`. A row's distance to itself is exactly 0 and has no
    gradient; the gradient is also 0 at other distances of 0, where the square root has none.
    """
    squares = x.square().sum(2)
    gaps = F.relu(squares.unsqueeze(2) + squares.unsqueeze(1) - 2 * x @ x.transpose(1, 2))
    # Rounding noise on the diagonal would become gradients of arbitrary size in the square root.
    gaps = gaps.masked_fill(torch.eye(x.shape[1], dtype=torch.bool, device=x.device), 0.0)
    if squared:
        return gaps
    positive = gaps > 0
    return torch.where(positive, gaps, 1.0).sqrt() * positive


def mean_of_nonzero(hinges: torch.Tensor, eps: float = 1e-9) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of the non-zero entries of each part `[p, ...]` (0 if there are none) and their number; `[p]`."""
    hinges = hinges.flatten(1)
    active = (hinges != 0).sum(1).to(hinges.dtype)
    return hinges.sum(1) / (active + eps), active
