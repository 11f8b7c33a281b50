"""Appearance representation learning (Section 3.1, Eq. 1)."""

from torch import Tensor

from opengait_ext.models.shared.modality import per_frame
from opengait_ext.models.shared.pooling import set_pooling
from opengait_ext.models.shared.two_stems import TwoStemResNet


class AppearanceEncoder(TwoStemResNet):
    """E_app of Eq. 1: AGW (Ye et al., 2021) frame by frame, then set pooling; see `TwoStemResNet` for the arguments."""

    def forward(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Compute f_{a,m} of Eq. 1 before it is cut into stripes.

        Args:
            frames: (n, s, 3, height, width), ImageNet-normalised.
            modality: (n), 0 visible, 1 infrared.

        Returns:
            (n, out_channels, height / 16, width / 16), with the default stem and strides.
        """
        tracklets, count = frames.shape[:2]
        maps = super().forward(frames.flatten(0, 1), per_frame(modality, frames.shape))
        return set_pooling(maps.unflatten(0, (tracklets, count)))
