"""Layouts of a vision model's tokens: rows, maps, and the silhouettes' grid."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait import distributed
from opengait_ext.models.shared.token_encoder import TokenEncoder

# Pixels enlarged at a time: 200 MB for four ViT-S layers.
_PIXELS_AT_ONCE = 32768


def encode_tokens(encoder: TokenEncoder, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Apply an encoder to every token: (f, h*w, c) -> (f, out_channels, h, w)."""
    return encoder(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2]).transpose(1, 2).unflatten(2, grid)


def enlarge_all(tokens: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Resize tokens (f, h'*w', c) on a grid of h' x w' bilinearly to (f, h*w, c)."""
    maps = tokens.transpose(1, 2).unflatten(2, grid)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)


def scatter_tokens(values: Tensor, chosen: Tensor, shape: torch.Size) -> Tensor:
    """Put the values (k, c) of the chosen tokens (f*h*w, bool) back into maps (f, c, h, w) that are zero elsewhere."""
    canvas = values.new_zeros(len(chosen), values.shape[1])
    canvas[chosen] = values
    return _maps(canvas, shape)


def keep_tokens(values: Tensor, chosen: Tensor, shape: torch.Size) -> Tensor:
    """Return the values (f*h*w, c) of all tokens as maps (f, c, h, w) that are zero at tokens that are not `chosen`."""
    return _maps(values.where(chosen.unsqueeze(1), 0), shape)


def _maps(rows: Tensor, shape: torch.Size) -> Tensor:
    frames, _, height, width = shape
    return rows.view(frames, height * width, -1).transpose(1, 2).unflatten(2, (height, width))


def enlarged_tokens(
    tokens: Tensor, grid: tuple[int, int], size: tuple[int, int], chosen: Tensor, counts: Sequence[int] | None = None
) -> Tensor:
    """Return the chosen pixels of bilinearly enlarged tokens, enlarging a few frames at a time to save memory.

    Args:
        tokens: (f, h' * w', c) on a grid of h' x w'.
        size: (h, w), the enlarged size.
        chosen: bool (f, h, w), with k pixels chosen.
        counts: number of pixels chosen in each frame, if the host knows them; reading them waits for the device.

    Returns:
        (k, c), frame by frame, row by row.
    """
    counts = chosen.flatten(1).sum(dim=1).tolist() if counts is None else counts
    picked = tokens.new_empty(sum(counts), tokens.shape[-1])
    step = max(1, _PIXELS_AT_ONCE // (size[0] * size[1]))
    start = 0
    for first, (part, mask) in enumerate(zip(tokens.split(step), chosen.split(step), strict=True)):
        # Channels are last in memory before and after, so indexing copies whole rows.
        maps = F.interpolate(part.transpose(1, 2).unflatten(2, grid), size=size, mode="bilinear", align_corners=False)
        stop = start + sum(counts[first * step : (first + 1) * step])
        picked[start:stop] = maps.permute(0, 2, 3, 1)[mask]
        start = stop
    return picked


def black_out(
    denoising: Tensor, appearance: Tensor, lengths: Sequence[int], share: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Set one of the two maps, chosen at random, to zero in a random `share` (rounded) of all ranks' tracklets.

    Args:
        denoising, appearance: maps (frames, c, h, w) of tracklets one after the other.
        lengths: number of frames per tracklet.
    """
    tracklets = len(lengths) * distributed.world_size()
    count = round(share * tracklets)
    if not count:
        return denoising, appearance
    # Drawn on the CPU so that a seed gives the same draws on any device, and by rank 0 for all ranks. As in a sampler's
    # batch, every n-th is this rank's.
    kept = torch.ones(2, tracklets)
    kept[torch.randint(2, (count,)), torch.randperm(tracklets)[:count]] = 0
    kept = kept.to(denoising.device, non_blocking=True)
    mine = distributed.broadcast_tensor(kept)[:, distributed.rank() :: distributed.world_size()]
    # Stated so that a GPU need not be waited for.
    frames = torch.tensor(lengths).to(denoising.device, non_blocking=True)
    kept = mine.repeat_interleave(frames, dim=1, output_size=len(denoising)).view(2, -1, 1, 1, 1)
    return denoising * kept[0], appearance * kept[1]
