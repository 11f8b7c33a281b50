"""Base class of the engine models of image methods, such as AGW, which here describe tracklets."""

from typing import Any

from opengait_ext.models.shared.engine_model import CrossModalModel


class ImageModel(CrossModalModel):
    """Engine model of a method for images, whose network takes the mean over a tracklet's frames."""

    def card(self) -> dict[str, Any]:
        """Say how tracklets become images."""
        frames = self.cfgs["trainer_cfg"]["sampler"].get("frames_num_fixed")
        return {
            "tracklets_as_images": {
                "training": "one frame of a tracklet per step" if frames == 1 else f"mean of {frames} frames' features",
                "test": "mean of the frames' features",
            }
        }
