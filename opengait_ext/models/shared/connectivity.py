"""BigGait's connectivity losses, with which the authors' release stands in for L_smo (Eq. 7).

Both ask that maps change little from one position to the next, but add the channels up before the absolute value and
surround the maps with zeros (`sobel_loss`); Eq. 7 as the paper writes it is in `smoothness.py`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.modeling.losses.base import BaseLoss


def sobel_loss(maps: Tensor) -> Tensor:
    """|sobel_x| + |sobel_y| of the sum over the channels, over the number of entries of `maps` (f, c, h, w).

    The kernels are not scaled, and zeros surround the maps, so their edges count.
    """
    along = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=maps.device)
    kernels = torch.stack([along, along.T]).unsqueeze(1)
    with torch.autocast(maps.device.type, enabled=False):
        gradients = F.conv2d(maps.float().sum(dim=1, keepdim=True), kernels, padding=1)
    return gradients.abs().sum() / maps.numel()


def mask_connectivity_loss(probabilities: Tensor) -> Tensor:
    """Sobel loss of the mask's two probabilities in the layout of the release's code.

    That code has them as rows of (positions, 2) and views these as (2, h, w) without transposing. So the first "map" is
    the upper half of the frame with foreground and background in turns, and the second the lower half. Kept, since the
    weight of 0.02 and the published mask encoders belong to it; on maps as they are, the channels' sum is 1 everywhere
    and the loss would say nothing.

    Args:
        probabilities: of the two sides of the partition, (f, 2, h, w).
    """
    rows = probabilities.permute(0, 2, 3, 1)
    return sobel_loss(rows.reshape(probabilities.shape))


def prior_connectivity_loss(gait_prior: Tensor) -> Tensor:
    """Sobel loss of E_g without its last channel: all of them add up to one wherever the mask covers a token.

    Args:
        gait_prior: E_g(f_{m,c}), (f, channels, h, w).
    """
    return sobel_loss(gait_prior[:, :-1])


class MaskConnectivityLoss(BaseLoss):
    """Engine loss for `mask_connectivity_loss`; reads `probabilities` from `training_feat`."""

    def forward(self, probabilities: Tensor) -> tuple[Tensor, dict]:
        loss = mask_connectivity_loss(probabilities)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info


class PriorConnectivityLoss(BaseLoss):
    """Engine loss for `prior_connectivity_loss`; reads `gait_prior` from `training_feat`."""

    def forward(self, gait_prior: Tensor) -> tuple[Tensor, dict]:
        loss = prior_connectivity_loss(gait_prior)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info
