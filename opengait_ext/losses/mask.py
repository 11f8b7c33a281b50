"""L_mask, Eq. 5: the decoded mask stays close to the frozen features, so the mask keeps their semantics."""

from torch import Tensor

from opengait.modeling.losses.base import BaseLoss


def mask_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """Mean over frames of || D_m(S) - f_{m,4} ||_2, each the norm over all tokens and channels of one frame.

    Args:
        decoded, target: (f, tokens, channels).
    """
    return (decoded.float() - target.float()).flatten(1).norm(dim=1).mean()


class MaskLoss(BaseLoss):
    """Engine loss for `mask_loss`; reads `decoded` and `target` from `training_feat`."""

    def forward(self, decoded: Tensor, target: Tensor) -> tuple[Tensor, dict]:
        loss = mask_loss(decoded, target)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info
