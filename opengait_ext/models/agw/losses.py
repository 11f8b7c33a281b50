"""CAJ's metric loss."""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait_ext.models.shared.triplets import AnchorLoss, Form, checked_form, counted, weighted_distances

# The largest squared difference: exp(88) is still a float32.
LARGEST = 88.0


class SquaredDifferenceLoss(AnchorLoss):
    """CAJ's enhanced squared difference: AGW's weighted triplet on the square of the difference, with its sign.

    L = mean over anchors of log(1 + exp(-y s)), s = min(gamma (a - b)^2, 88), y = 1 where a <= b and -1 elsewhere,
    where a and b are the weighted distances of the positives and negatives (`weighted_distances`).

    Args:
        gamma: factor of the square.
        form: see `WeightedTripletLoss`.
        loss_term_weight: factor of this loss in the sum.

    Raises:
        ConfigError: the form is unknown.
    """

    def __init__(self, gamma: float = 1.0, form: Form = "exact", loss_term_weight: float = 1.0) -> None:
        super().__init__(loss_term_weight)
        self.gamma = gamma
        self.form = checked_form(form, "SquaredDifferenceLoss")

    def compare(self, distances: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compare the weighted distances."""
        positive, negative = weighted_distances(distances, same, self.form)
        squares = (self.gamma * (positive - negative).square()).clamp(max=LARGEST)
        losses = F.softplus(torch.where(positive <= negative, -squares, squares))
        return counted(losses, same, self.form), positive, negative
