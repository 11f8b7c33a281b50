"""Enriched silhouettes from another network's masks, in place of SASG (Table 7; "B + PBMGE" of Table 3).

The paper compares DINOv2 with human parsing networks as the source of the gait stream. A parsing network provides only
masks, so there are no priors, and L_mask, L_smo and L_div do not apply.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError, DataError
from opengait.utils.recompute import recomputed
from opengait_ext.models.dinogrl.silhouette import Silhouettes
from opengait_ext.models.shared.fusion import PriorStem


class GivenMasks(nn.Module):
    """Replacement of `SilhouetteGenerator` that reads masks.

    M = S x stem(maps): Eq. 6 with the mask as S, and a single stem of SASG's kind instead of two priors and their
    fusion.

    Args:
        maps: number of maps per frame: 1 for a mask, more for groups of body parts (`data_cfg.mask_classes`), whose
            union is S.
        size: (h, w) of the silhouettes.
        channels: channels of the enriched silhouette M.
        recompute: compute the activations of the stem again in the backward pass; see `recomputed`.
    """

    def __init__(
        self, maps: int = 1, size: Sequence[int] = (64, 32), channels: int = 64, recompute: bool = False
    ) -> None:
        super().__init__()
        self.maps = maps
        self.size = tuple(size)
        self.channels = channels
        self.recompute = recompute
        self.stem = PriorStem(maps, channels)

    def forward(self, masks: Tensor) -> Silhouettes:
        """Return the silhouettes of masks (f, maps, height, width), 0 to 1.

        Raises:
            DataError: the number of maps is not `maps`.
        """
        if masks.shape[1] != self.maps:
            raise DataError(
                f"A frame's mask has {masks.shape[1]} maps, but model_cfg.silhouette.maps is {self.maps}; set it to "
                f"the number of lists in data_cfg.mask_classes, or 1."
            )
        mask, maps = self.shrink(masks.amax(dim=1, keepdim=True)), self.shrink(masks)
        return Silhouettes(
            mask=mask,
            enriched=mask * (recomputed(self.stem, maps) if self.recompute else self.stem(maps)),
            decoded=None,
            target=None,
            gait_prior=None,
            appearance_prior=None,
        )

    def shrink(self, maps: Tensor) -> Tensor:
        """Resize to the silhouettes' size; a pixel is the share of its area that is foreground."""
        return F.interpolate(maps, size=self.size, mode="area")


def silhouette_source(model_cfg: Mapping[str, Any]) -> tuple[str, Any]:
    """Return `model_cfg.silhouette.type`, "sasg" (the default) or "masks", and the rest of the section.

    Raises:
        ConfigError: the type is unknown, or "masks" in a configuration with a vision model.
    """
    section = model_cfg.get("silhouette")
    if not isinstance(section, Mapping) or "type" not in section:
        return "sasg", section
    settings = dict(section)
    source = settings.pop("type")
    if source not in ("sasg", "masks"):
        raise ConfigError(f"model_cfg.silhouette.type is {source!r}; expected 'sasg' or 'masks'.")
    if source == "masks":
        if model_cfg.get("vision_model") is not None:
            raise ConfigError("With silhouette.type masks model_cfg.vision_model is not used; set it to null.")
        # A null removes an SASG setting of the base file.
        settings = {key: value for key, value in settings.items() if value is not None}
    return source, settings
