"""Augmentation as in CAJ (ICCV 2021), which the paper names in its implementation details.

In this order: pad 10 and random crop, horizontal flip, normalisation, channel random erasing, and a channel operation:
channel-adaptive grey for infrared, channel exchange for visible frames (CAJ's second views, and DinoGRL's release). The
last two act on normalised values. Every part takes and returns frames `[s, 3, h, w]` of one tracklet and draws from
torch's global generator: once for all frames, or with `per_frame` once per frame, as the public code does.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch

from opengait.errors import ConfigError
from opengait.utils.typed import Share
from opengait_ext.data.channels import (
    ERASED,
    GREY,
    IMAGENET_MEAN,
    IMAGENET_STD,
    UNCHANGED,
    erase,
    finish,
    mix_channels,
    normalise,
)
from opengait_ext.data.tracklet import Modality

NOTHING = (0, 0, 0, 0)

Frames = np.ndarray | torch.Tensor


class Normalise:
    """Convert uint8 frames to float32 with ImageNet's mean and standard deviation; the only transform in a test."""

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        self.mean = torch.tensor(mean, dtype=torch.float32)
        self.std = torch.tensor(std, dtype=torch.float32)

    def __call__(self, x: Frames) -> torch.Tensor:
        return normalise(torch.as_tensor(x), self.mean, self.std)

    def begin(self, frames: Frames, info: Any = None, masks: Any = None) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Return the frames unchanged, without random draws (`DeferrableTransform`)."""
        return torch.as_tensor(frames), masks, torch.empty(len(frames), 0)

    def finish(self, frames: torch.Tensor, drawn: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise the frames on their device."""
        return normalise(frames, self.mean, self.std, out)


class PadCrop:
    """Pad the frame with zeros and crop it to its original size at a uniformly drawn position."""

    def __init__(self, pad: Annotated[int, "non-negative int"], per_frame: bool = False) -> None:
        self.pad = pad
        self.per_frame = per_frame

    def draw(self, frames: int) -> list[list[int]]:
        """Draw the shift (down, right) of each frame, or one for all frames."""
        draws = frames if self.per_frame else 1
        return torch.randint(-self.pad, self.pad + 1, (draws, 2)).tolist() if self.pad else []

    def __call__(self, x: torch.Tensor, shifts: list[list[int]] | None = None) -> torch.Tensor:
        if not self.pad:
            return x
        shifts = self.draw(len(x)) if shifts is None else shifts
        cropped = torch.zeros_like(x)
        for number, (down, right) in enumerate(shifts):
            frames = slice(number, number + 1) if self.per_frame else slice(None)
            into_rows, from_rows = _overlap(x.shape[-2], down)
            into_columns, from_columns = _overlap(x.shape[-1], right)
            cropped[frames, :, into_rows, into_columns] = x[frames, :, from_rows, from_columns]
        return cropped


class Flip:
    """Mirror left and right with probability `prob`."""

    def __init__(self, prob: Share, per_frame: bool = False) -> None:
        self.prob = prob
        self.per_frame = per_frame

    def draw(self, frames: int) -> torch.Tensor:
        """Draw whether each frame is mirrored, or whether all are."""
        return torch.rand(frames if self.per_frame else 1) < self.prob

    def __call__(self, x: torch.Tensor, drawn: torch.Tensor | None = None) -> torch.Tensor:
        drawn = self.draw(len(x)) if drawn is None else drawn
        if drawn.all() or not drawn.any():
            return x.flip(-1) if drawn.all() else x
        flipped = x.clone()
        for number in drawn.nonzero().flatten().tolist():
            flipped[number] = x[number].flip(-1)
        return flipped


class ChannelErasing:
    """Fill a random rectangle of normalised frames with `ERASED`, with probability `prob`.

    The rectangle's share of the frame is uniform in `area`, its height over its width uniform in `aspect` (the ratio,
    not its logarithm), and its corner uniform; a draw that does not fit in the frame is repeated up to 100 times.
    """

    TRIES = 100

    def __init__(
        self,
        prob: Share,
        area: tuple[float, float] = (0.02, 0.4),
        aspect: tuple[float, float] = (0.3, 1 / 0.3),
        per_frame: bool = False,
    ) -> None:
        self.prob = prob
        self.area = area
        self.aspect = aspect
        self.per_frame = per_frame

    def draw(self, frames: int, height: int, width: int) -> torch.Tensor:
        """Draw top, left, height and width of each frame's rectangle, `[frames, 4]`; zeros erase nothing."""
        draws = frames if self.per_frame else 1
        hits = (torch.rand(draws) < self.prob).tolist()
        rectangles = [self._rectangle(height, width) if hit else NOTHING for hit in hits]
        return torch.tensor(rectangles).expand(frames, 4)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        erase(x, self.draw(len(x), *x.shape[-2:]), torch.tensor(ERASED).expand(len(x), 3))
        return x

    def _rectangle(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the first drawn rectangle that fits; `NOTHING` if none does."""
        # Double precision, so that u * n stays below n.
        area, aspect, row, column = torch.rand(4, self.TRIES, dtype=torch.float64).numpy()
        area = (self.area[0] + area * (self.area[1] - self.area[0])) * height * width
        aspect = self.aspect[0] + aspect * (self.aspect[1] - self.aspect[0])
        heights = np.round(np.sqrt(area * aspect)).astype(int)
        widths = np.round(np.sqrt(area / aspect)).astype(int)
        fits = np.flatnonzero((heights < height) & (widths < width))
        if not len(fits):
            return NOTHING
        first = fits[0]
        top = int(row[first] * (height - heights[first] + 1))
        left = int(column[first] * (width - widths[first] + 1))
        return top, left, int(heights[first]), int(widths[first])


class ChannelAdaptiveGrey:
    """Copy red, green or blue to all channels, each with probability 1/4, or else make grey with probability `prob`.

    In normalised infrared frames, whose channels hold the same image, another channel's shift and scale is a change of
    brightness and contrast.
    """

    def __init__(self, prob: Share, per_frame: bool = False) -> None:
        self.prob = prob
        self.per_frame = per_frame

    def draw(self, frames: int) -> torch.Tensor:
        """Draw the source of each frame's channels, `[frames]`: 0, 1, 2, GREY or UNCHANGED."""
        draws = frames if self.per_frame else 1
        sources = torch.randint(4, (draws,))
        left = (sources == GREY) & (torch.rand(draws) >= self.prob)
        return sources.masked_fill(left, UNCHANGED).expand(frames)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return mix_channels(x, self.draw(len(x)))


class ChannelExchange:
    """Copy red, green or blue to all channels with equal probability; with `grey`, grey is the fourth choice."""

    def __init__(self, grey: bool = False, per_frame: bool = False) -> None:
        self.grey = grey
        self.per_frame = per_frame

    def draw(self, frames: int) -> torch.Tensor:
        """Draw the source of each frame's channels, `[frames]`: 0, 1, 2 or GREY."""
        return torch.randint(4 if self.grey else 3, (frames if self.per_frame else 1,)).expand(frames)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return mix_channels(x, self.draw(len(x)))


class CrossModalAugmentation:
    """The complete augmentation of a tracklet; the channel operation depends on its modality.

    Args:
        pad: zeros on each side before the crop; fewer than the longer side of a frame has pixels.
        flip: probability of a mirrored tracklet.
        erasing: probability of an erased rectangle.
        adaptive_grey: `ChannelAdaptiveGrey`'s probability on infrared tracklets; None leaves them unchanged.
        channel_exchange: probability that a visible tracklet has its channels exchanged; the authors' release uses
            0.5, the paper does not mention it. The second view of a tracklet (`sampler.second_view`) always has.
        per_frame: draw crop, flip and rectangle for every frame.
        channels_per_frame: the same for the channel operation; None follows `per_frame`.
    """

    needs_info = True

    def __init__(
        self,
        pad: Annotated[int, "non-negative int"] = 10,
        flip: Share = 0.5,
        erasing: Share = 0.5,
        adaptive_grey: Share | None = 0.5,
        channel_exchange: Share = 0.0,
        per_frame: bool = False,
        channels_per_frame: bool | None = None,
    ) -> None:
        channels_per_frame = per_frame if channels_per_frame is None else channels_per_frame
        self.crop = PadCrop(pad, per_frame)
        self.flip = Flip(flip, per_frame)
        self.erasing = ChannelErasing(erasing, per_frame=per_frame)
        self.grey = None if adaptive_grey is None else ChannelAdaptiveGrey(adaptive_grey, channels_per_frame)
        self.exchange_prob = channel_exchange
        self.exchange = ChannelExchange(per_frame=channels_per_frame)

    def __call__(self, x: Frames, seq_info: Sequence) -> torch.Tensor:
        """Augment one tracklet.

        Args:
            x: uint8 `[s, 3, h, w]`, RGB.
            seq_info: [label, type, view, paths] of the tracklet, and 1 if this is its second view in the batch; the
                type is its modality.

        Returns:
            float32 `[s, 3, h, w]`, normalised.
        """
        frames, _, drawn = self.begin(x, seq_info)
        return self.finish(frames, drawn)

    def begin(
        self, frames: Frames, info: Sequence, masks: Frames | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Draw everything, and crop and mirror the frames while they are bytes (`DeferrableTransform`).

        Args:
            frames: uint8 `[s, 3, h, w]`, RGB.
            info: [label, type, view, paths] of the tracklet, and 1 if this is its second view in the batch.
            masks: uint8 `[s, maps, h, w]` of the frames.

        Returns:
            The cropped and mirrored frames; the masks, cropped and mirrored in the same way; and for `finish` each
            frame's rectangle to erase and source of channels, `[s, 5]` (`opengait_ext.data.channels`).

        Raises:
            ConfigError: `pad` is not smaller than the frame, so that most crops would show none of it.
        """
        height, width = frames.shape[-2:]
        if self.crop.pad >= max(height, width):
            raise ConfigError(
                f"CrossModalAugmentation.pad: expected less than the size of a frame, {height} x {width}, got "
                f"{self.crop.pad}; most crops would show none of the frame."
            )
        shifts, mirrored = self.crop.draw(len(frames)), self.flip.draw(len(frames))
        moved = self._move(frames, shifts, mirrored)
        rectangles = self.erasing.draw(len(moved), *moved.shape[-2:])
        drawn = torch.cat([rectangles, self._sources(info, len(moved))[:, None]], dim=1)
        return moved, None if masks is None else self._move(masks, shifts, mirrored), drawn

    def finish(self, frames: torch.Tensor, drawn: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise, erase and change the channels of `[n, 3, h, w]` on their device according to `drawn`, `[n, 5]`."""
        return finish(frames, drawn[:, :4], drawn[:, 4], out)

    def _move(self, x: Frames, shifts: list[list[int]], mirrored: torch.Tensor) -> torch.Tensor:
        return self.flip(self.crop(torch.as_tensor(x), shifts), mirrored)

    def _sources(self, seq_info: Sequence, frames: int) -> torch.Tensor:
        unchanged = torch.full((frames,), UNCHANGED)
        if Modality(seq_info[1]) is Modality.INFRARED:
            return unchanged if self.grey is None else self.grey.draw(frames)
        if len(seq_info) > 4:
            return self.exchange.draw(frames)
        # One draw per tracklet even with per_frame: the release chooses the visible pipeline once per tracklet.
        return self.exchange.draw(frames) if torch.rand(()) < self.exchange_prob else unchanged


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Return the target and source pixels of a line of `size` pixels that is shifted by `shift`."""
    return slice(max(0, shift), max(0, size + min(0, shift))), slice(max(0, -shift), max(0, size - max(0, shift)))
