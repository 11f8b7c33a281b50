"""DEEN's augmentation, drawn once for all frames of a tracklet."""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from opengait.errors import ConfigError
from opengait.utils.typed import Share
from opengait_ext.data.augment import ChannelErasing, Flip, Frames, PadCrop
from opengait_ext.data.channels import IMAGENET_MEAN, IMAGENET_STD, erase, normalise

# Weights of red, green and blue in grey (ITU-R 601-2), in 65536ths, as Pillow has them.
LUMA = (19595, 38470, 7471)


class GreyAugmentation:
    """Shifted crop, grey, mirror image, normalisation and an erased rectangle, alike in both modalities.

    The rectangle is filled with ImageNet's mean as a normalised value, as in the released code, so it is neither black
    nor the mean colour.

    Args:
        pad: zeros on each side before the crop; fewer than the longer side of a frame has pixels.
        grey: probability of a grey tracklet.
        flip: probability of a mirrored tracklet.
        erasing: probability of an erased rectangle, with sides of 0.3 to 1/0.3.
        area: [least, greatest] share of the frame that is erased: [0.2, 0.8] on SYSU-MM01, and [0.02, 0.4] on LLCM and
            RegDB.

    Raises:
        ConfigError: `area` is not two ascending numbers from 0 to 1.
    """

    def __init__(
        self,
        pad: Annotated[int, "non-negative int"] = 10,
        grey: Share = 0.5,
        flip: Share = 0.5,
        erasing: Share = 0.5,
        area: Annotated[Sequence[float], "list of 2 float"] = (0.02, 0.4),
    ) -> None:
        least, most = area
        if not 0 <= least <= most <= 1:
            raise ConfigError(f"GreyAugmentation.area: expected two ascending numbers from 0 to 1, got {area}.")
        self.crop = PadCrop(pad)
        self.grey = grey
        self.flip = Flip(flip)
        self.erasing = ChannelErasing(erasing, (least, most))
        self.mean, self.std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)

    def __call__(self, x: Frames) -> Tensor:
        """Augment the frames `x`, uint8 (s, 3, h, w), of a tracklet; return float32, normalised."""
        frames, _, drawn = self.begin(x)
        return self.finish(frames, drawn)

    def begin(self, frames: Frames, info: Any = None, masks: Any = None) -> tuple[Tensor, Any, Tensor]:
        """Draw everything; crop, make grey and mirror the frames while they are bytes (`DeferrableTransform`).

        Returns:
            The frames; the masks, cropped and mirrored alike; and for `finish` each frame's rectangle to erase, (s, 4).

        Raises:
            ConfigError: `pad` is not smaller than the frame.
        """
        del info
        height, width = frames.shape[-2:]
        self.crop.check(height, width, type(self).__name__)
        shifts, mirrored = self.crop.draw(len(frames)), self.flip.draw(len(frames))
        rectangles = self.erasing.draw(len(frames), height, width)
        x = torch.as_tensor(frames)
        if torch.rand(()) < self.grey:
            x = make_grey(x)
        moved = [
            None if part is None else self.flip(self.crop(torch.as_tensor(part), shifts), mirrored)
            for part in (x, masks)
        ]
        assert moved[0] is not None
        return moved[0], moved[1], rectangles

    def finish(self, frames: Tensor, drawn: Tensor, out: Tensor | None = None) -> Tensor:
        """Normalise (n, 3, h, w) on their device and erase their rectangles `drawn`, (n, 4)."""
        x = normalise(frames, self.mean, self.std, out)
        erase(x, drawn.long(), self.mean.expand(len(x), 3))
        return x


def make_grey(frames: Tensor) -> Tensor:
    """Return bytes (s, 3, h, w) whose channels are 0.299 R + 0.587 G + 0.114 B in levels, as Pillow rounds them."""
    weights = torch.tensor(LUMA, dtype=torch.int32).view(3, 1, 1)
    grey = ((frames.int() * weights).sum(1, keepdim=True) + 0x8000) >> 16
    return grey.to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
