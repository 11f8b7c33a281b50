"""Parts of BigGait (Ye et al., CVPR 2024): its fusion, and the padding of frames to their true ratio."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.errors import ConfigError, DataError
from opengait_ext.models.shared.fusion import AttentionFusion
from opengait_ext.models.shared.gaitbase import ForwardBlock

# Size that frames are padded to, keeping the true ratio of people, unless they are twice as high as wide.
FRAME_SIZE = (256, 128)
Crop = Literal["centre", "left"]


class NamedFusion(AttentionFusion):
    """`AttentionFusion` with upstream's names and arguments.

    Raises:
        ConfigError: `feat_len` is not 2.
    """

    def __init__(self, in_channels: int = 64, squeeze_ratio: int = 16, feat_len: int = 2) -> None:
        if feat_len != 2:
            raise ConfigError(f"model_cfg.AttentionFusion.feat_len is {feat_len!r}; BigGait fuses 2 maps.")
        super().__init__(in_channels, squeeze_ratio)
        self.conv = ForwardBlock(self.conv)


def check_ratios(ratios: Tensor | None, frames: Tensor) -> Tensor:
    """Return the ratio (width over height) of each frame's person, (n, s), with a default of 0.5.

    Raises:
        DataError: there is not one ratio per frame of `frames` (n, s, 3, h, w), or a ratio is not a positive number.
    """
    if ratios is None:
        return torch.full(frames.shape[:2], 0.5, device=frames.device)
    if ratios.shape != frames.shape[:2]:
        raise DataError(
            f"BigGait's second feature has shape {list(ratios.shape)}; expected one ratio (width over height) per "
            f"frame, {list(frames.shape[:2])}; check data_cfg and the transforms."
        )
    invalid = ratios[~((ratios > 0) & ratios.isfinite())]
    if len(invalid):
        raise DataError(f"A frame's ratio (width over height) is {invalid[0].item()}; expected a positive number.")
    return ratios.float()


def person_widths(ratios: Tensor, height: int) -> Tensor:
    """Return the width in pixels, at least 1, of a person of each ratio in a frame of `height` rows."""
    return (height * ratios).int().clamp(min=1)


def person_pixels(ratios: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the pixels that are not padding in frames of these ratios (f), bool (f, h, w)."""
    height, width = size
    widths = person_widths(ratios, height)[:, None]
    left = (width - widths).clamp(min=0) // 2
    columns = torch.arange(width, device=ratios.device)
    inside = (columns >= left) & (columns < left + widths)
    return inside[:, None].expand(-1, height, -1)


def restore_ratio(frames: Tensor, ratios: Tensor, size: tuple[int, int] = FRAME_SIZE, crop: Crop = "centre") -> Tensor:
    """Resize frames (f, 3, h, w) to `size` at their true ratios (f); pad narrow ones on both sides with zeros.

    Of wider ones, `crop` keeps the centre, as upstream does since April 2026, or the left, as it did before.
    """
    height, width = size
    widths = person_widths(ratios, height)
    restored = frames.new_zeros(len(frames), frames.shape[1], height, width)
    for person_width in widths.unique().tolist():
        selected = widths == person_width
        scaled = F.interpolate(frames[selected], size=(height, person_width), mode="bilinear", align_corners=False)
        left = 0 if crop == "left" and person_width > width else (width - person_width) // 2
        # Negative padding crops.
        restored[selected] = F.pad(scaled, (left, width - person_width - left))
    return restored
