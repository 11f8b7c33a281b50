"""Aligned pairs: tracklets of the same moments in both modalities.

The two tracklets of a pair match pixel by pixel, so they need the same frames, the same crop and the same flip. The
sampler therefore draws one seed per pair and hands it to the loader with both indices (`opengait.data.sampler.Draw`).
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence

import torch

from opengait.data.sampler import Draw

Pair = tuple[int, tuple[int, ...]]


def share_draws(visible: Sequence[int], infrared: Sequence[int]) -> tuple[list[Draw], list[Draw]]:
    """Give the visible and the infrared index at each position the same seed, drawn from torch's generator."""
    seeds = torch.randint(2**62, (len(visible),)).tolist()
    pairs = list(zip(visible, infrared, seeds, strict=True))
    return [Draw(one, seed) for one, _, seed in pairs], [Draw(other, seed) for _, other, seed in pairs]


def pairs_of(visible: Sequence[int], infrared: Sequence[int], moments: Mapping[int, Hashable]) -> Iterator[Pair]:
    """Yield the pairs among one person's tracklets: a visible one and its infrared partners.

    Args:
        visible, infrared: indices of the person's tracklets.
        moments: camera and track by index, which the tracklets of a pair share.

    Yields:
        The visible tracklet and its partners: the true infrared tracklet, a generated one, or both.
    """
    partners: dict[Hashable, list[int]] = {}
    for index in infrared:
        partners.setdefault(moments[index], []).append(index)
    for index in visible:
        if moments[index] in partners:
            yield index, tuple(partners[moments[index]])
