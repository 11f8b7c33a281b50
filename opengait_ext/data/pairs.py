"""Aligned pairs on their way from the sampler through the workers into a batch.

The two tracklets of a pair show the same moments through two lenses, pixel by pixel, so they want the same frames, the
same crop and the same flip. The engine draws these for each item of a batch from a stream of its own. The sampler
therefore draws one number a pair, from the stream of the run's seed and the batch's number, and sends it along with
both indices; where an item begins, the data set starts the streams anew from that number. A batch stays a function of
(seed, number), whatever the processes, the workers and where the run was resumed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from opengait import distributed
from opengait_ext.data.tracklet import Modality, line_of

Pair = tuple[int, tuple[int, ...]]


class PairedIndex(int):
    """The index of a tracklet whose random draws are those of its partner: an int that remembers the pair's number.

    Attributes:
        draw: what the random streams start from, equal for both tracklets of the pair.
    """

    draw: int

    def __new__(cls, index: int, draw: int) -> "PairedIndex":
        """An int equal to `index`."""
        made = super().__new__(cls, index)
        made.draw = draw
        return made

    def __getnewargs__(self) -> tuple[int, int]:
        # What pickle makes it again from, in a worker or on another rank.
        return int(self), self.draw


def start_draws(index: int) -> None:
    """Start the random streams (python, numpy, torch CPU) from a pair's number; nothing happens for a plain index.

    The engine's loader restores the streams after each item.
    """
    if isinstance(index, PairedIndex):
        distributed.seed_cpu(index.draw)


def share_draws(visible: Sequence[int], infrared: Sequence[int]) -> tuple[list[PairedIndex], list[PairedIndex]]:
    """Give each visible index and the infrared one at its place a number of their own, from torch's generator."""
    draws = torch.randint(2**62, (len(visible),)).tolist()
    both = [[PairedIndex(*numbers) for numbers in zip(side, draws, strict=True)] for side in (visible, infrared)]
    return both[0], both[1]


def pairs_of(dataset: Any, indices: Sequence[int]) -> Iterator[Pair]:
    """The pairs among one person's tracklets: those of one camera and row, in both modalities.

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
