"""The regularisers of Section 3.2; the identity and triplet losses (Eq. 2, 3) are the engine's."""

from opengait_ext.losses.connectivity import (
    MaskConnectivityLoss,
    PriorConnectivityLoss,
    mask_connectivity_loss,
    prior_connectivity_loss,
)
from opengait_ext.losses.diversity import DiversityLoss, diversity_loss
from opengait_ext.losses.mask import MaskLoss, mask_loss
from opengait_ext.losses.smoothness import SmoothnessLoss, smoothness_loss

__all__ = [
    "DiversityLoss",
    "MaskConnectivityLoss",
    "MaskLoss",
    "PriorConnectivityLoss",
    "SmoothnessLoss",
    "diversity_loss",
    "mask_connectivity_loss",
    "mask_loss",
    "prior_connectivity_loss",
    "smoothness_loss",
]
