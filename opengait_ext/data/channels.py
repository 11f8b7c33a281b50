"""Operations on the values of a batch of frames: normalisation, an erased rectangle, exchanged channels.

All of them take frames of many tracklets at once, on the CPU and on CUDA, and are deterministic: each frame's rectangle
and source of channels are arguments (`opengait_ext.data.augment` draws them).
"""

from itertools import groupby

import cv2
import torch
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# CAJ's constant; it replaces normalised values, so it is neither black nor the mean colour.
ERASED = (0.4914, 0.4822, 0.4465)
LUMA = (0.2989, 0.5870, 0.1140)
# Sources of a frame's channels; 0, 1 and 2 copy that channel to all three.
GREY, UNCHANGED = 3, 4
# The channels that each of the five sources takes; grey is mixed from all three after normalisation.
TAKEN = torch.tensor([[0, 0, 0], [1, 1, 1], [2, 2, 2], [0, 1, 2], [0, 1, 2]])


def finish(frames: Tensor, rectangles: Tensor, sources: Tensor, out: Tensor | None = None) -> Tensor:
    """Normalise frames, then fill a rectangle in each, then take its channels from their source.

    Channels are copied while they are bytes, and each then takes the mean, deviation and fill value of the channel that
    it came from: the same values, bit for bit, as copying normalised channels, which take four times the memory.

    Args:
        frames: uint8 `[n, 3, h, w]`, RGB.
        rectangles: `[n, 4]` on the CPU: top, left, height and width in pixels; a height of 0 erases nothing.
        sources: `[n]` on the CPU: 0, 1, 2, GREY or UNCHANGED.
        out: float32 `[n, 3, h, w]` to write into.

    Returns:
        `out`, or a new tensor like it on the frames' device.
    """
    taken = TAKEN[sources.long()]
    mean, std, fill = (torch.tensor(values) for values in (IMAGENET_MEAN, IMAGENET_STD, ERASED))
    x = normalise(frames, mean, std, out, taken)
    erase(x, rectangles, fill[taken])
    return make_grey(x, sources)


def normalise(
    frames: Tensor, mean: Tensor, std: Tensor, out: Tensor | None = None, taken: Tensor | None = None
) -> Tensor:
    """Return frames 0 to 255 as float32 (x / 255 - mean) / std, using a table for bytes on the CPU.

    Args:
        frames: `[n, c, h, w]`.
        mean, std: `[c]`, or `[1]` for all channels.
        out: float32 `[n, c, h, w]` to write into.
        taken: `[n, c]` on the CPU, the channel that each channel of a frame is copied from; None copies none.
    """
    x = torch.empty(frames.shape, dtype=torch.float32, device=frames.device) if out is None else out
    mean, std = (value.expand(frames.shape[1]) for value in (mean, std))
    if frames.device.type == "cpu" and frames.dtype == torch.uint8 and x.is_contiguous():
        return look_up(frames, mean, std, x, taken)
    if taken is not None:
        frames, mean, std = take_channels(frames, taken), mean[taken], std[taken]
    mean, std = (value[..., None, None].to(x.device, non_blocking=True) for value in (mean, std))
    return x.copy_(frames).div_(255).sub_(mean).div_(std)


def look_up(frames: Tensor, mean: Tensor, std: Tensor, out: Tensor, taken: Tensor | None) -> Tensor:
    """Normalise bytes by table: the 256 values of a channel are calculated once, and pixels are visited once."""
    tables = torch.arange(256, dtype=torch.float32).div(255).sub(mean[:, None]).div(std[:, None]).numpy()
    planes, into = frames.numpy(), out.numpy()
    channels_of = [list(range(len(mean)))] * len(frames) if taken is None else taken.tolist()
    for frame, channels in enumerate(channels_of):
        for channel, source in enumerate(channels):
            cv2.LUT(planes[frame, source], tables[source], into[frame, channel])
    return out


def take_channels(frames: Tensor, taken: Tensor) -> Tensor:
    """Return frames whose channel c is the channel `taken[i, c]` of frame i; `taken` is `[n, 3]`, on the CPU."""
    if (taken == TAKEN[UNCHANGED]).all():
        return frames
    planes = taken + 3 * torch.arange(len(frames))[:, None]
    # Selecting whole planes: indexing with two axes copies element by element on the CPU, thirty times slower.
    return frames.reshape(-1, *frames.shape[2:]).index_select(0, planes.flatten().to(frames.device)).view_as(frames)


def erase(x: Tensor, rectangles: Tensor, fill: Tensor) -> None:
    """Fill a rectangle of each frame, in place.

    Args:
        x: `[n, c, h, w]`.
        rectangles: `[n, 4]` on the CPU: top, left, height, width.
        fill: `[n, c]` on the CPU.
    """
    if not rectangles[:, 2].any():
        return
    # A GPU fills all frames at once; on the CPU it is faster to touch only the rectangles.
    (erase_one_by_one if x.device.type == "cpu" else erase_everywhere)(x, rectangles, fill)


def erase_everywhere(x: Tensor, rectangles: Tensor, fill: Tensor) -> None:
    """Erase in one step for all frames."""
    start, size = rectangles[:, :2].to(x.device), rectangles[:, 2:].to(x.device)
    rows, columns = (torch.arange(length, device=x.device) for length in x.shape[-2:])
    of_rows = (rows >= start[:, :1]) & (rows < start[:, :1] + size[:, :1])
    of_columns = (columns >= start[:, 1:]) & (columns < start[:, 1:] + size[:, 1:])
    inside = of_rows[:, None, :, None] & of_columns[:, None, None, :]
    torch.where(inside, fill[:, :, None, None].to(x.device, x.dtype), x, out=x)


def erase_one_by_one(x: Tensor, rectangles: Tensor, fill: Tensor) -> None:
    """Erase in one step per run of frames with the same rectangle."""
    same = groupby(enumerate(zip(rectangles.tolist(), fill.tolist(), strict=True)), key=lambda entry: entry[1])
    for ((top, left, height, width), _), run in same:
        indices = [index for index, _ in run]
        if height:
            frames = slice(indices[0], indices[-1] + 1)
            x[frames, :, top : top + height, left : left + width] = fill[frames, :, None, None].to(x.dtype)


def mix_channels(x: Tensor, sources: Tensor) -> Tensor:
    """Return `[n, 3, h, w]` with all channels from their source: a channel, GREY or UNCHANGED, `[n]` on the CPU."""
    taken = take_channels(x, TAKEN[sources.long()])
    return make_grey(x.clone() if taken is x else taken, sources)


def make_grey(x: Tensor, sources: Tensor) -> Tensor:
    """Set the channels of frames `[n, 3, h, w]` whose source is GREY to 0.2989 R + 0.5870 G + 0.1140 B, in place."""
    chosen = (sources == GREY).nonzero().flatten().to(x.device)
    if len(chosen):
        red, green, blue = x.index_select(0, chosen).unbind(1)
        # Term by term, so that no device fuses a product and a sum, which would change digits.
        grey = (red * LUMA[0]).add_(green * LUMA[1]).add_(blue * LUMA[2])
        x.index_copy_(0, chosen, grey[:, None].expand(-1, 3, -1, -1))
    return x
