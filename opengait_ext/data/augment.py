"""Augmentation as in CAJ (ICCV 2021), which the paper names in its implementation details.

In this order: pad 10 and random crop, horizontal flip, normalisation, channel random erasing, and a channel operation:
channel-adaptive grey for infrared, channel exchange for visible frames (the authors' release only). The last two act on
normalised values. Every part takes and gives frames `[s, 3, h, w]` of one tracklet and draws from torch's global
generator: once for all frames, or with `per_frame` once for each, as the public code does.
"""

from collections.abc import Sequence

import numpy as np
import torch

from opengait_ext.data.tracklet import Modality

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# CAJ's constant; it is filled in after normalisation, so it is neither black nor the mean colour.
ERASED = (0.4914, 0.4822, 0.4465)
LUMA = (0.2989, 0.5870, 0.1140)
# What the three channels become, beside 0, 1, 2: a copy of that channel.
GREY, UNCHANGED = 3, 4

Frames = np.ndarray | torch.Tensor


class Normalise:
    """uint8 frames (0 to 255) to float32 with ImageNet's mean and deviation; all that happens to frames in test."""

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        self.mean = torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1)

    def __call__(self, x: Frames) -> torch.Tensor:
        x = torch.as_tensor(x)
        scaled = x.to(torch.float32, copy=True).div_(255)
        return scaled.sub_(self.mean.to(x.device)).div_(self.std.to(x.device))


class PadCrop:
    """Pad zeros around the frame and cut a frame of the old size out of it, at a uniformly drawn place."""

    def __init__(self, pad: int, per_frame: bool = False) -> None:
        self.pad = pad
        self.per_frame = per_frame

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if not self.pad:
            return x
        draws = len(x) if self.per_frame else 1
        shifts = torch.randint(-self.pad, self.pad + 1, (draws, 2)).tolist()
        cropped = torch.zeros_like(x)
        for place, (down, right) in enumerate(shifts):
            frames = slice(place, place + 1) if self.per_frame else slice(None)
            into_rows, from_rows = _overlap(x.shape[-2], down)
            into_columns, from_columns = _overlap(x.shape[-1], right)
            cropped[frames, :, into_rows, into_columns] = x[frames, :, from_rows, from_columns]
        return cropped


class Flip:
    """Mirror left and right with probability `prob`."""

    def __init__(self, prob: float, per_frame: bool = False) -> None:
        self.prob = prob
        self.per_frame = per_frame

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        drawn = torch.rand(len(x) if self.per_frame else 1) < self.prob
        if drawn.all():
            return x.flip(-1)
        flipped = x.clone()
        for place in drawn.nonzero().flatten().tolist():
            flipped[place] = x[place].flip(-1)
        return flipped


class ChannelErasing:
    """Fill a random rectangle of normalised frames with `ERASED`, with probability `prob`.

    The rectangle's share of the frame is uniform in `area`, its height over its width uniform in `aspect` (not its
    logarithm), and its corner uniform; a draw that does not fit inside the frame is repeated up to 100 times.
    """

    TRIES = 100

    def __init__(
        self,
        prob: float,
        area: tuple[float, float] = (0.02, 0.4),
        aspect: tuple[float, float] = (0.3, 1 / 0.3),
        per_frame: bool = False,
    ) -> None:
        self.prob = prob
        self.area = area
        self.aspect = aspect
        self.per_frame = per_frame

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        draws = len(x) if self.per_frame else 1
        places = [place for place, hit in enumerate((torch.rand(draws) < self.prob).tolist()) if hit]
        rectangles = {place: self._rectangle(x.shape[-2], x.shape[-1]) for place in places}
        if not rectangles:
            return x
        x = x.clone()
        fill = torch.tensor(ERASED, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
        for place, rectangle in rectangles.items():
            if rectangle is not None:
                frames = slice(place, place + 1) if self.per_frame else slice(None)
                x[frames, :, rectangle[0], rectangle[1]] = fill
        return x

    def _rectangle(self, height: int, width: int) -> tuple[slice, slice] | None:
        """Rows and columns of the first drawn rectangle that fits; None if none does."""
        # Double precision, so that u * n stays below n.
        area, aspect, row, column = torch.rand(4, self.TRIES, dtype=torch.float64).numpy()
        area = (self.area[0] + area * (self.area[1] - self.area[0])) * height * width
        aspect = self.aspect[0] + aspect * (self.aspect[1] - self.aspect[0])
        heights = np.round(np.sqrt(area * aspect)).astype(int)
        widths = np.round(np.sqrt(area / aspect)).astype(int)
        fits = np.flatnonzero((heights < height) & (widths < width))
        if not len(fits):
            return None
        first = fits[0]
        top = int(row[first] * (height - heights[first] + 1))
        left = int(column[first] * (width - widths[first] + 1))
        return slice(top, top + int(heights[first])), slice(left, left + int(widths[first]))


class ChannelAdaptiveGrey:
    """Red, green or blue copied to all channels, a quarter of the draws each; in the last quarter grey with probability
    `prob`, else nothing.

    On normalised infrared frames, whose channels hold the same picture, another channel's shift and scale is a change
    of brightness and contrast.
    """

    def __init__(self, prob: float, per_frame: bool = False) -> None:
        self.prob = prob
        self.per_frame = per_frame

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        draws = len(x) if self.per_frame else 1
        sources = torch.randint(4, (draws,))
        left = (sources == GREY) & (torch.rand(draws) >= self.prob)
        return _mix_channels(x, sources.masked_fill(left, UNCHANGED))


class ChannelExchange:
    """Red, green or blue copied to all channels, a third of the draws each; with `grey` a quarter each and grey too."""

    def __init__(self, grey: bool = False, per_frame: bool = False) -> None:
        self.grey = grey
        self.per_frame = per_frame

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return _mix_channels(x, torch.randint(4 if self.grey else 3, (len(x) if self.per_frame else 1,)))


class CrossModalAugmentation:
    """The whole chain for one tracklet; what happens to the channels depends on the modality.

    Args:
        pad: zeros on each side before the crop.
        flip: probability of a mirrored tracklet.
        erasing: probability of an erased rectangle.
        adaptive_grey: `ChannelAdaptiveGrey`'s probability on infrared tracklets; None leaves them as they are.
        channel_exchange: probability that a visible tracklet has its channels exchanged; the authors' release takes
            0.5, the paper does not name it.
        per_frame: draw crop, flip and rectangle for every frame anew.
        channels_per_frame: the same for the channel operation; None follows `per_frame`.
    """

    needs_info = True

    def __init__(
        self,
        pad: int = 10,
        flip: float = 0.5,
        erasing: float = 0.5,
        adaptive_grey: float | None = 0.5,
        channel_exchange: float = 0.0,
        per_frame: bool = False,
        channels_per_frame: bool | None = None,
    ) -> None:
        channels_per_frame = per_frame if channels_per_frame is None else channels_per_frame
        self.crop = PadCrop(pad, per_frame)
        self.flip = Flip(flip, per_frame)
        self.normalise = Normalise()
        self.erasing = ChannelErasing(erasing, per_frame=per_frame)
        self.grey = None if adaptive_grey is None else ChannelAdaptiveGrey(adaptive_grey, channels_per_frame)
        self.exchange_prob = channel_exchange
        self.exchange = ChannelExchange(per_frame=channels_per_frame)

    def __call__(self, x: Frames, seq_info: Sequence) -> torch.Tensor:
        """Augment one tracklet.

        Args:
            x: uint8 `[s, 3, h, w]`, RGB.
            seq_info: [label, type, view, ...] of the tracklet; the type is its modality.

        Returns:
            float32 `[s, 3, h, w]`, normalised.
        """
        x = self.erasing(self.normalise(self.flip(self.crop(torch.as_tensor(x)))))
        if Modality(seq_info[1]) is Modality.INFRARED:
            return x if self.grey is None else self.grey(x)
        # One draw a tracklet even when frames differ: the release chooses the visible pipeline once for a tracklet.
        return self.exchange(x) if torch.rand(()) < self.exchange_prob else x


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Where a line of `size` pixels moved by `shift` lands, and which of its pixels land there."""
    return slice(max(0, shift), max(0, size + min(0, shift))), slice(max(0, -shift), max(0, size - max(0, shift)))


def _mix_channels(x: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """Fill all three channels from the source drawn: a channel, GREY or UNCHANGED; one a frame, or one for all."""
    luma = torch.tensor(LUMA, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    mixed = torch.empty_like(x)
    for frames, source in _runs(sources):
        if source == UNCHANGED:
            mixed[frames] = x[frames]
        elif source == GREY:
            mixed[frames] = (x[frames] * luma).sum(dim=1, keepdim=True)
        else:
            mixed[frames] = x[frames, source : source + 1]
    return mixed


def _runs(sources: torch.Tensor) -> list[tuple[slice, int]]:
    """The frames that each source is for: all of them when there is a single source."""
    values = sources.tolist()
    if len(values) == 1:
        return [(slice(None), values[0])]
    return [(slice(place, place + 1), value) for place, value in enumerate(values)]
