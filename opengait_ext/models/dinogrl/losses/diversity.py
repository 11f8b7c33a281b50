"""L_div, Eq. 8, as an engine loss."""

from torch import Tensor

from opengait.modeling.losses.base import BaseLoss
from opengait_ext.models.shared.diversity import diversity_loss


class DiversityLoss(BaseLoss):
    """Engine loss for `diversity_loss`; reads `gait_prior` from `training_feat`.

    Args:
        loss_term_weight: factor of this loss in the sum.
        eps: see `diversity_loss`.
    """

    def __init__(self, loss_term_weight: float = 1.0, eps: float = 0.0) -> None:
        super().__init__(loss_term_weight)
        self.eps = eps

    def forward(self, gait_prior: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = diversity_loss(gait_prior, self.eps)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info
