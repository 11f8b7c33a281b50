"""The regularisers of Section 3.2; the identity and triplet losses (Eq. 2, 3) are in the engine."""

from opengait_ext.models.dinogrl.losses.diversity import DiversityLoss
from opengait_ext.models.dinogrl.losses.mask import MaskLoss, mask_loss
from opengait_ext.models.dinogrl.losses.smoothness import SmoothnessLoss, smoothness_loss
from opengait_ext.models.shared.diversity import diversity_loss

__all__ = ["DiversityLoss", "MaskLoss", "SmoothnessLoss", "diversity_loss", "mask_loss", "smoothness_loss"]
