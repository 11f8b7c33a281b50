"""L_div, Eq. 8: a frame uses all channels of the gait prior, not a few of them."""

from torch import Tensor

from opengait.modeling.losses.base import BaseLoss
from opengait_ext.models.shared.channel_usage import channel_usage_loss


def diversity_loss(gait_prior: Tensor, eps: float = 0.0) -> Tensor:
    """Return the mean over frames of H_max - H(P), in bits.

    P_i is channel i's share of a frame's total activation, H(P) = -sum_i P_i log2 P_i and H_max = log2(channels). The
    paper leaves the base open; base 2 is the release's, for which its weight of 5 was chosen.

    Args:
        gait_prior: E_g(f_{m,c}), (f, channels, h, w), not negative. A frame of zeros, whose mask is
            empty, is left out.
        eps: added to the total and inside the logarithm; the release has 1e-6.
    """
    return channel_usage_loss(gait_prior, eps)


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
