"""L_mask, Eq. 5: keeps the decoded mask close to the frozen features, so that the mask keeps their semantics."""

import torch.nn.functional as F
from torch import Tensor

from opengait.modeling.losses.base import BaseLoss


def mask_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """Return the mean over frames of || D_m(S) - f_{m,4} ||_2, each norm over all tokens and channels of a frame.

    Args:
        decoded, target: (f, tokens, channels).
    """
    return (decoded.float() - target.float()).flatten(1).norm(dim=1).mean()


class MaskLoss(BaseLoss):
    """Engine loss for `mask_loss`; reads `decoded` and `target` from `training_feat`.

    Args:
        loss_term_weight: factor of this loss in the sum.
        mean_square: use the mean square of D_m(S) - f_{m,4} over all entries, as in BigGait and the authors' release.
    """

    def __init__(self, loss_term_weight: float = 1.0, mean_square: bool = False) -> None:
        super().__init__(loss_term_weight)
        self.mean_square = mean_square

    def forward(self, decoded: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = F.mse_loss(decoded.float(), target.float()) if self.mean_square else mask_loss(decoded, target)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info
