"""Frames that travel as bytes and become numbers where the model is.

A float32 frame is four times the memory of the same frame in bytes, and most of the cost of a batch is to move it:
from a worker through shared memory, then to the device. A transform that can wait therefore comes in two halves,

    begin(frames[, info]) -> bytes, drawn       in the worker: every random draw, and whatever is done to bytes
    finish(bytes, drawn, out) -> out            on the model's device, for many tracklets at once: the rest

with bytes uint8 `[s, ...]`, drawn `[s, k]` (on the CPU) and out float32 of the bytes' shape; calling the transform does
both. Its result does not depend on which tracklets are finished together. Other transforms work in the worker alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Deferred:
    """Frames that wait for the second half of their transform.

    Attributes:
        frames: uint8 `[s, ...]` of a tracklet, or `[n, s, ...]` of a batch.
        drawn: `[s, k]` or `[n, s, k]`: what `finish` is told of each frame.
    """

    frames: Tensor
    drawn: Tensor

    @property
    def shape(self) -> torch.Size:
        """Of the frames."""
        return self.frames.shape

    def __getitem__(self, key: Any) -> "Deferred":
        return Deferred(self.frames[key], self.drawn[key])

    def pin_memory(self) -> "Deferred":
        """What a DataLoader calls before frames go to a GPU."""
        return Deferred(self.frames.pin_memory(), self.drawn)

    @staticmethod
    def joined(column: Sequence["Deferred"], pack: bool) -> "Deferred":
        """Tracklets of one shape stacked, or packed along their frames."""
        frames, drawn = [item.frames for item in column], [item.drawn for item in column]
        first = frames[0].shape
        shape = (sum(map(len, frames)), *first[1:]) if pack else (len(frames), *first)
        join = torch.cat if pack else torch.stack
        out = large_empty(shape, torch.uint8) if ring is None else ring.take(shape)
        return Deferred(join(frames, out=out), join(drawn))

    def finished(self, transform: Any, device: torch.device) -> Tensor:
        """The input of the model: float32 of the frames' shape, on `device`."""
        frames = self.frames.to(device, non_blocking=True)
        if device.type != "cpu":
            out = torch.empty(frames.shape, dtype=torch.float32, device=device)
            transform.finish(frames.flatten(0, 1), self.drawn.flatten(0, 1), out.flatten(0, 1))
            return out
        out = large_empty(frames.shape, torch.float32)
        # One tracklet after the other stays in the processor's cache.
        for tracklet, drawn, into in zip(frames, self.drawn, out, strict=True):
            transform.finish(tracklet, drawn, into)
        return out


class Ring:
    """Shared memory that a worker uses in turns, since the first touch of fresh pages costs more than filling them.

    Args:
        slots: a slot is overwritten after so many further ones; by then its reader must be done.
    """

    def __init__(self, slots: int) -> None:
        self.slots = [torch.empty(0, dtype=torch.uint8)] * slots
        self.turn = 0

    def take(self, shape: Sequence[int]) -> Tensor:
        """An uninitialised tensor of bytes, in the next slot."""
        place, size = self.turn % len(self.slots), math.prod(shape)
        self.turn += 1
        if len(self.slots[place]) < size:
            self.slots[place] = torch.empty(size, dtype=torch.uint8).share_memory_()
        return self.slots[place][:size].view(*shape)


# Set in loading processes whose batches are read in a known order (`opengait.data.loader`).
ring: Ring | None = None


class FirstHalf:
    """A transform's `begin` as a transform."""

    def __init__(self, transform: Any) -> None:
        self.needs_info = getattr(transform, "needs_info", False)
        self.begin = transform.begin

    def __call__(self, *arguments: Any) -> Deferred:
        return Deferred(*self.begin(*arguments))


def first_half(transform: Callable) -> Callable:
    """What a worker does of a transform: its `begin` where it has two halves, else all of it."""
    return FirstHalf(transform) if hasattr(transform, "begin") and hasattr(transform, "finish") else transform


def large_empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """An uninitialised tensor for a whole batch.

    numpy asks the kernel for huge pages; with torch's small ones the first touch of the memory takes longer than the
    copy that it is made for.
    """
    return torch.from_numpy(np.empty(tuple(shape), dtype=str(dtype).removeprefix("torch.")))
