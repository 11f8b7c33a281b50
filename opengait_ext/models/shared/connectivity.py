"""BigGait's connectivity losses, used by the authors' release in place of L_smo (Eq. 7).

Both penalise changes from one position to the next, but sum the channels before taking the absolute value and pad the
maps with zeros (`sobel_loss`). Eq. 7 as the paper writes it is in `dinogrl/losses/smoothness.py`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait import distributed
from opengait.modeling.losses.base import BaseLoss


def sobel_loss(maps: Tensor) -> Tensor:
    """Return |sobel_x| + |sobel_y| of the sum over channels, divided by the number of entries of `maps` (f, c, h, w).

    The kernels are not normalised, and the maps are padded with zeros, so their borders count.
    """
    horizontal = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=maps.device)
    kernels = torch.stack([horizontal, horizontal.T]).unsqueeze(1)
    with torch.autocast(maps.device.type, enabled=False):
        gradients = F.conv2d(maps.float().sum(dim=1, keepdim=True), kernels, padding=1)
    # Ranks differ in the number of frames if tracklets differ in length.
    return gradients.abs().sum() / distributed.mean_over_ranks(gradients.new_full((), maps.numel()))


def mask_connectivity_loss(probabilities: Tensor) -> Tensor:
    """Return the Sobel loss of the mask's two probabilities in the memory layout of the release's code.

    That code stores them as (positions, 2) and views them as (2, h, w) without transposing, so the first "map" is the
    upper half of the frame, with foreground and background alternating, and the second is the lower half. This layout
    is kept because the weight of 0.02 and the published mask encoders depend on it; in the true layout the channels sum
    to 1 everywhere and the loss would be constant.

    Args:
        probabilities: foreground and background, (f, 2, h, w).
    """
    rows = probabilities.permute(0, 2, 3, 1)
    return sobel_loss(rows.reshape(probabilities.shape))


def prior_connectivity_loss(gait_prior: Tensor) -> Tensor:
    """Return the Sobel loss of E_g without its last channel, since all channels sum to one at every covered token.

    Args:
        gait_prior: E_g(f_{m,c}), (f, channels, h, w).
    """
    return sobel_loss(gait_prior[:, :-1])


class MaskConnectivityLoss(BaseLoss):
    """Engine loss for `mask_connectivity_loss`; reads `probabilities` from `training_feat`."""

    def forward(self, probabilities: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = mask_connectivity_loss(probabilities)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info


class PriorConnectivityLoss(BaseLoss):
    """Engine loss for `prior_connectivity_loss`; reads `gait_prior` from `training_feat`."""

    def forward(self, gait_prior: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = prior_connectivity_loss(gait_prior)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info
