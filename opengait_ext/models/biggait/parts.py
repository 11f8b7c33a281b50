"""Parts of BigGait (Ye et al., CVPR 2024): its fusion, and what it does with frames and ratios."""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.errors import ConfigError, DataError
from opengait_ext.models.shared.fusion import AttentionFusion
from opengait_ext.models.shared.gaitbase import ForwardBlock

# Size of frames that do not come twice as high as wide; people keep their true ratio.
FRAME_SIZE = (256, 128)


class NamedFusion(AttentionFusion):
    """`AttentionFusion` under upstream's names, from upstream's arguments.

    Raises:
        ConfigError: the number of maps to fuse is not two.
    """

    def __init__(self, in_channels: int = 64, squeeze_ratio: int = 16, feat_len: int = 2) -> None:
        if feat_len != 2:
            raise ConfigError(f"model_cfg.AttentionFusion.feat_len is {feat_len!r}; BigGait fuses 2 maps.")
        super().__init__(in_channels, squeeze_ratio)
        self.conv = ForwardBlock(self.conv)


def check_ratios(ratios: Tensor | None, frames: Tensor) -> Tensor:
    """Return the ratio (width over height) of the person in every frame, (n, s); by default 0.5, the frames' own.

    Raises:
        DataError: there is not one ratio per frame of `frames` (n, s, 3, h, w), or a value is not a ratio.
    """
    if ratios is None:
        return torch.full(frames.shape[:2], 0.5, device=frames.device)
    if ratios.shape != frames.shape[:2]:
        raise DataError(
            f"BigGait's second feature must hold one ratio (width over height) for each frame, "
            f"{list(frames.shape[:2])} here, but has the shape {list(ratios.shape)}; check data_cfg and the transforms."
        )
    wrong = ratios[~((ratios > 0) & ratios.isfinite())]
    if len(wrong):
        raise DataError(f"A frame's ratio (width over height) is {wrong[0].item()}; expected a positive number.")
    return ratios.float()


def person_widths(ratios: Tensor, height: int) -> Tensor:
    """Return the columns that a person of that ratio fills in a frame of `height` rows, at least one."""
    return (height * ratios).int().clamp(min=1)


def person_pixels(ratios: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the pixels of frames of these ratios (f) that belong to the original picture, bool (f, h, w)."""
    height, width = size
    widths = person_widths(ratios, height)[:, None]
    left = (width - widths).clamp(min=0) // 2
    columns = torch.arange(width, device=ratios.device)
    inside = (columns >= left) & (columns < left + widths)
    return inside[:, None].expand(-1, height, -1)


def restore_ratio(frames: Tensor, ratios: Tensor, size: tuple[int, int] = FRAME_SIZE) -> Tensor:
    """Resize frames (f, 3, h, w) to `size` at their true ratios (f), padding with zeros or cropping at the sides."""
    height, width = size
    widths = person_widths(ratios, height)
    restored = frames.new_zeros(len(frames), frames.shape[1], height, width)
    for wide in widths.unique().tolist():
        chosen = widths == wide
        scaled = F.interpolate(frames[chosen], size=(height, wide), mode="bilinear", align_corners=False)
        left = (width - wide) // 2
        # Negative padding crops.
        restored[chosen] = F.pad(scaled, (left, width - wide - left))
    return restored
