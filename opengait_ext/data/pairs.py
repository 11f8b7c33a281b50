"""Aligned pairs: tracklets of the same moments in both modalities.

The two tracklets of a pair match pixel by pixel, so they need the same frames, the same crop and the same flip. The
sampler therefore draws one seed per pair and hands it to the loader with both indices (`opengait.data.sampler.Draw`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from opengait.data.sampler import Draw
from opengait_ext.data.tracklet import Modality, line_of

Pair = tuple[int, tuple[int, ...]]


def share_draws(visible: Sequence[int], infrared: Sequence[int]) -> tuple[list[Draw], list[Draw]]:
    """Give each visible index and the infrared index at its position one seed, drawn from torch's generator."""
    seeds = torch.randint(2**62, (len(visible),)).tolist()
    return [Draw(*item) for item in zip(visible, seeds, strict=True)], [
        Draw(*item) for item in zip(infrared, seeds, strict=True)
    ]


def pairs_of(dataset: Any, indices: Sequence[int]) -> Iterator[Pair]:
    """Yield the pairs among one person's tracklets: those of one camera and row, in both modalities.

    Args:
        dataset: has `types_list` and `views_list`.
        indices: the person's tracklets.

    Yields:
        The visible tracklet and its infrared partners: the true one, a made one, or both.
    """
    partners: dict[str, list[int]] = {}
    for index in indices:
        if dataset.types_list[index] == Modality.INFRARED:
            partners.setdefault(line_of(dataset.views_list[index]), []).append(index)
    for index in indices:
        line = line_of(dataset.views_list[index])
        if dataset.types_list[index] == Modality.VISIBLE and line in partners:
            yield index, tuple(partners[line])
