"""L_smo, Eq. 7: penalises changes of the gait prior between neighbouring positions."""

from kornia.filters import spatial_gradient
from torch import Tensor

from opengait.modeling.losses.base import BaseLoss


def smoothness_loss(gait_prior: Tensor) -> Tensor:
    """Return the mean over frames, channels and positions of |sobel_x * E_g| + |sobel_y * E_g|.

    The Sobel kernels are the plain ones (1, 2, 1), not divided by 8, as in BigGait, whose weight of 0.02 the paper
    keeps. Borders are replicated, so a constant map costs nothing; zero padding would penalise the edge of every frame.

    Args:
        gait_prior: E_g(f_{m,c}), (f, channels, h, w).
    """
    gradients = spatial_gradient(gait_prior.float(), mode="sobel", order=1, normalized=False)
    return gradients.abs().sum(dim=2).mean()


class SmoothnessLoss(BaseLoss):
    """Engine loss for `smoothness_loss`; reads `gait_prior` from `training_feat`."""

    def forward(self, gait_prior: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = smoothness_loss(gait_prior)
        self.info.update({"loss": loss.detach().clone()})
        return loss, self.info
