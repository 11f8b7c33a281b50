"""Halves of tracklets, for tests that compare the beginning of one tracklet with the end of another."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from opengait.data.frames import FrameSource, pick_frames

# Names of the halves, in order of time.
HALVES = ("first_half", "second_half")


class FrameRange:
    """Some consecutive frames of a frame source (`opengait.data.frames`), which are decoded when they are indexed.

    Args:
        source: the frames.
        start, stop: the first frame, and the one after the last.
    """

    def __init__(self, source: FrameSource | np.ndarray | list, start: int, stop: int) -> None:
        self.source = source
        self.start, self.stop = start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray | list[np.ndarray]:
        return pick_frames(self.source, [self.start + int(index) for index in indices])


class HalfTracklets:
    """A dataset whose tracklets are halves of those of another, in the same order and with the same labels.

    Of n frames the first half has floor(n / 2), and the second the rest; a single frame is both.

    Args:
        dataset: the dataset of whole tracklets, whose other attributes this one has too.
        half: "first_half" or "second_half".
    """

    def __init__(self, dataset: Any, half: str) -> None:
        self.dataset = dataset
        self.half = HALVES.index(half)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # Called for attributes that this object lacks, including `dataset` itself during unpickling.
        if name == "dataset" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, index: int) -> tuple[list[FrameRange], list]:
        sources, info = self.dataset[index]
        return [self._half_of(source) for source in sources], info

    def _half_of(self, source: Any) -> FrameRange:
        frames = len(source)
        middle = frames // 2
        return FrameRange(source, middle, frames) if self.half else FrameRange(source, 0, max(middle, min(frames, 1)))
