"""M3-ReID's augmentation, drawn once for all frames of a tracklet."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from opengait.errors import ConfigError
from opengait.utils.typed import Share
from opengait_ext.data.augment import ChannelErasing, Flip, Frames, PadCrop
from opengait_ext.data.channels import IMAGENET_MEAN, IMAGENET_STD, erase, normalise
from opengait_ext.data.tracklet import Modality


class StyleAugmentation:
    """Grey with random weights, shifted crop, mirror image, normalisation, erased rectangle and random style.

    Grey: visible frames become a random convex combination of their channels, in whole grey levels. Style: normalised
    frames are multiplied by a random factor, infrared ones by one and visible ones by one per channel. The rectangle is
    filled with 0, the mean colour.

    Args:
        pad: zeros on each side before the crop; fewer than the longer side of a frame has pixels.
        flip: probability of a mirrored tracklet.
        erasing: probability of an erased rectangle, of 0.02 to 0.33 of the frame and sides of 0.3 to 3.3.
        grey: probability of a grey visible tracklet.
        style: [least, greatest] factor, drawn uniformly; [1, 1] leaves frames unchanged.

    Raises:
        ConfigError: `style` is not two ascending numbers of at least 0.
    """

    needs_info = True

    def __init__(
        self,
        pad: Annotated[int, "non-negative int"] = 5,
        flip: Share = 0.5,
        erasing: Share = 0.5,
        grey: Share = 0.5,
        style: Annotated[Sequence[float], "list of 2 float"] = (0.5, 1.5),
    ) -> None:
        least, most = style
        if not 0 <= least <= most:
            raise ConfigError(f"StyleAugmentation.style: expected two ascending numbers of at least 0, got {style}.")
        self.crop = PadCrop(pad)
        self.flip = Flip(flip)
        self.erasing = ChannelErasing(erasing, area=(0.02, 0.33), aspect=(0.3, 3.3), log_aspect=True, tries=10)
        self.grey = grey
        self.style = least, most
        self.mean, self.std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)

    def __call__(self, x: Frames, seq_info: Sequence[Any]) -> Tensor:
        """Augment the frames `x`, uint8 (s, 3, h, w), of a tracklet [label, type, ...]; return float32, normalised."""
        frames, _, drawn = self.begin(x, seq_info)
        return self.finish(frames, drawn)

    def begin(self, frames: Frames, info: Sequence[Any], masks: Any = None) -> tuple[Tensor, Any, Tensor]:
        """Draw everything; make grey, crop and mirror the frames while they are bytes (`DeferrableTransform`).

        Returns:
            The frames; the masks, cropped and mirrored alike; and for `finish` each frame's rectangle to erase and the
            factor of each channel, (s, 7).

        Raises:
            ConfigError: `pad` is not smaller than the frame.
        """
        height, width = frames.shape[-2:]
        self.crop.check(height, width, type(self).__name__)
        visible = Modality(info[1]) is Modality.VISIBLE
        shifts, mirrored = self.crop.draw(len(frames)), self.flip.draw(len(frames))
        rectangles = self.erasing.draw(len(frames), height, width)
        if visible and torch.rand(()) < self.grey:
            frames = make_grey(frames, torch.rand(3, dtype=torch.float64))
        least, most = self.style
        factors = (least + (most - least) * torch.rand(3 if visible else 1)).expand(len(frames), 3)
        moved = [
            None if x is None else self.flip(self.crop(torch.as_tensor(x), shifts), mirrored) for x in (frames, masks)
        ]
        assert moved[0] is not None
        return moved[0], moved[1], torch.cat([rectangles, factors], dim=1)

    def finish(self, frames: Tensor, drawn: Tensor, out: Tensor | None = None) -> Tensor:
        """Normalise, scale and erase (n, 3, h, w) on their device according to `drawn`, (n, 7)."""
        x = normalise(frames, self.mean, self.std, out)
        x *= drawn[:, 4:, None, None].to(x.device)
        # An erased 0 stays 0 whatever its factor.
        erase(x, drawn[:, :4].long(), torch.zeros(len(x), 3))
        return x


def make_grey(frames: Frames, weights: Tensor) -> Tensor:
    """Return frames (s, 3, h, w) whose channels are their mean with these weights (3), cut to whole levels."""
    mixed = np.einsum("schw,c->shw", np.asarray(frames), (weights / weights.sum()).numpy())
    return torch.from_numpy(mixed.astype(np.uint8))[:, None].expand(-1, 3, -1, -1).contiguous()
