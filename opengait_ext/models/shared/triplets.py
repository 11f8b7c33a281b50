"""Triplet losses that compare one positive and one negative distance per anchor, over the identities of a whole batch.

The batch-hard loss takes the largest and the smallest distance (Hermans et al., 2017), AGW's weighted means of all.
Distances are Euclidean, sqrt(max(d^2, 1e-12)); every row is an anchor, and its positives include itself.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.errors import ConfigError
from opengait.modeling.losses.base import BaseLoss, at_least_float32, gather_and_scale_wrapper
from opengait.modeling.losses.triplet import pairwise_distances

Form = Literal["exact", "release"]
FORMS = ("exact", "release")


class AnchorLoss(BaseLoss):
    """A loss of one positive and one negative distance per anchor; subclasses say which, and how they compare."""

    @gather_and_scale_wrapper
    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of each part.

        Args:
            embeddings: `[n, c, p]`; half precision is computed in float32.
            labels: `[n]` identities.

        Returns:
            Loss `[p]`, and info, each `[p]`: `loss`; `positive` and `negative`, the means of both distances; and
            what subclasses add.

        Raises:
            ValueError: the shapes do not match.
        """
        distances, same = batch_distances(embeddings, labels, type(self).__name__)
        losses, positive, negative = self.compare(distances, same)
        loss = losses.mean(1)
        means = {"positive": positive.detach().mean(1), "negative": negative.detach().mean(1)}
        self.info.update({"loss": loss.detach().clone(), **means})
        return loss, self.info

    def compare(self, distances: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return each anchor's loss, positive and negative distance, `[p, n]` each.

        Args:
            distances: `[p, n, n]`.
            same: `[n, n]`, true where two rows share their identity.
        """
        raise NotImplementedError


class BatchHardTripletLoss(AnchorLoss):
    """Batch-hard triplet loss: L = mean over anchors of [max_P D - min_N D + margin]_+, for each part.

    In a batch of one identity, which has no negatives, the loss is 0.

    Args:
        margin: the distance by which the closest negative must be farther away than the farthest positive; 0 gives the
            soft margin, log(1 + exp(max_P D - min_N D)).
        loss_term_weight: factor of this loss in the sum.

    Its info has `loss_num` too, the number of anchors with a loss.
    """

    def __init__(self, margin: float = 0.3, loss_term_weight: float = 1.0) -> None:
        super().__init__(loss_term_weight)
        self.margin = margin

    def compare(self, distances: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compare the farthest positive with the closest negative."""
        positive = distances.masked_fill(~same, -torch.inf).amax(2)
        negative = distances.masked_fill(same, torch.inf).amin(2)
        gaps = positive - negative
        losses = F.relu(gaps + self.margin) if self.margin else F.softplus(gaps)
        self.info["loss_num"] = (losses.detach() > 0).sum(1).float()
        return losses, positive, negative.masked_fill(negative.isinf(), 0.0)


class WeightedTripletLoss(AnchorLoss):
    """Weighted regularised triplet loss of AGW (Ye et al., 2021), L = mean over anchors of log(1 + exp(a - b)).

    a and b are the weighted distances of `weighted_distances`; there is no margin. In a batch of one identity, which
    has no negatives, the exact form is 0.

    Args:
        form: "exact", or "release" for the arithmetic of the authors' code; see `weights_over`.
        loss_term_weight: factor of this loss in the sum.

    Raises:
        ConfigError: the form is unknown.
    """

    def __init__(self, form: Form = "exact", loss_term_weight: float = 1.0) -> None:
        super().__init__(loss_term_weight)
        self.form = checked_form(form, "WeightedTripletLoss")

    def compare(self, distances: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compare the weighted distances."""
        positive, negative = weighted_distances(distances, same, self.form)
        return counted(F.softplus(positive - negative), same, self.form), positive, negative


def batch_distances(embeddings: Tensor, labels: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Return the distances of each part, `[p, n, n]`, and which rows share their identity, bool `[n, n]`.

    Raises:
        ValueError: the shapes do not match; the message names the loss.
    """
    if embeddings.dim() != 3 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"{name} expected embeddings [n, c, p] and labels [n], got {list(embeddings.shape)} and "
            f"{list(labels.shape)}."
        )
    # Contiguous, since rounding errors of products of strided matrices are several times larger on the CPU.
    parts = at_least_float32(embeddings).permute(2, 0, 1).contiguous()
    return pairwise_distances(parts).clamp(min=1e-6), labels[:, None] == labels[None, :]


def weighted_distances(distances: Tensor, same: Tensor, form: Form = "exact") -> tuple[Tensor, Tensor]:
    """Return AGW's weighted distances of each anchor i, both `[p, n]`.

    a_i = sum over positives of w+ d with w+ = softmax of d, which stresses far positives; b_i = sum over negatives of
    w- d with w- = softmax of -d, which stresses close negatives.

    Args:
        distances: `[p, n, n]`.
        same: `[n, n]`, true where two rows share their identity.
        form: see `weights_over`.
    """
    positive = weights_over(distances, same, form) * distances
    negative = weights_over(-distances, ~same, form) * distances
    return positive.sum(2), negative.sum(2)


def weights_over(scores: Tensor, among: Tensor, form: Form) -> Tensor:
    """Return the softmax of scores `[p, n, n]` over the entries `among` (`[n, n]`) of each row, and 0 elsewhere.

    The release shifts all scores by the maximum of scores times `among` and adds 1e-6 to the sum. For negatives that
    maximum is 0, so where all of them are farther than about 14, the sum of exp(-d) falls below 1e-6, and their weights
    towards 0: pairs far apart count as close.
    """
    if form == "exact":
        masked = scores.masked_fill(~among, torch.finfo(scores.dtype).min)
        return masked.softmax(2) * among
    shift = (scores * among).amax(2, keepdim=True)
    shares = (scores - shift).masked_fill(~among, -torch.inf).exp()
    return shares / (shares.sum(2, keepdim=True) + 1e-6)


def counted(losses: Tensor, same: Tensor, form: Form) -> Tensor:
    """Return the anchors' losses `[p, n]`, in the exact form without those of anchors that have no negative."""
    return losses * (~same).any(1) if form == "exact" else losses


def checked_form(form: str, name: str) -> Form:
    """Return the form.

    Raises:
        ConfigError: it is unknown.
    """
    if form not in FORMS:
        raise ConfigError(f"{name}.form: expected {' or '.join(FORMS)}, got {form!r}.")
    return form  # type: ignore[return-value]
