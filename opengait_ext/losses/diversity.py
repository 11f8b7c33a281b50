"""L_div, Eq. 8: a frame uses all channels of the gait prior, not a few of them."""

import math

import torch
from torch import Tensor

from opengait.modeling.losses.base import BaseLoss


def diversity_loss(gait_prior: Tensor) -> Tensor:
    """Mean over frames of H_max - H(P), in bits.

    P_i is channel i's share of a frame's total activation, H(P) = -sum_i P_i log2 P_i and H_max = log2(channels). The
    paper leaves the base open; base 2, the release's, is what its weight of 5 was found with.

    Args:
        gait_prior: E_g(f_{m,c}), (f, channels, h, w), not negative, not all zero in a frame.
    """
    usage = gait_prior.float().sum(dim=(2, 3))
    share = usage / usage.sum(dim=1, keepdim=True)
    entropy = torch.special.entr(share).sum(dim=1) / math.log(2)
    return (math.log2(gait_prior.shape[1]) - entropy).mean()


class DiversityLoss(BaseLoss):
    """Engine loss for `diversity_loss`; reads `gait_prior` from `training_feat`."""

    def forward(self, gait_prior: Tensor) -> tuple[Tensor, dict]:
        loss = diversity_loss(gait_prior)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info
