"""Frames that travel as bytes and are converted to floats on the model's device.

A float32 frame takes four times the memory of the same frame in bytes, and most of the cost of a batch is moving it:
from a worker through shared memory, then to the device. A transform can therefore be split in two, as a
`DeferrableTransform`: workers run `begin`, and the main process runs `finish` on the model's device for many tracklets
at once. Other transforms run entirely in the worker.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor


@runtime_checkable
class DeferrableTransform(Protocol):
    """A transform in two halves; calling it runs both.

    A tracklet's result does not depend on which tracklets are finished together with it.
    """

    def begin(self, frames: Any, info: Any, masks: Any = None) -> tuple[Tensor, Any, Tensor]:
        """Draw all random numbers and apply the steps that work on bytes.

        Args:
            frames: uint8 `[s, ...]`, the frames of a tracklet.
            info: `[label, type, view, paths]` of the tracklet.
            masks: uint8 `[s, ..., h, w]`, the feature that must stay aligned with the frames, if there is one; it is
                cropped and mirrored with them.

        Returns:
            The frames, uint8 `[s, ...]`; the masks; and what `finish` needs for each frame, `[s, k]` on the CPU.
        """
        ...

    def finish(self, frames: Tensor, drawn: Tensor, out: Tensor | None = None) -> Tensor:
        """Apply the remaining steps on the device of the frames.

        Args:
            frames: uint8 `[s, ...]`, of one or many tracklets.
            drawn: `[s, k]` on the CPU, from `begin`.
            out: float32 tensor of the frames' shape to write into.
        """
        ...


@dataclass(frozen=True)
class Deferred:
    """Frames whose transform has begun but is not finished.

    Attributes:
        frames: uint8 `[s, ...]` of a tracklet, or `[n, s, ...]` of a batch.
        drawn: `[s, k]` or `[n, s, k]`, what `finish` needs for each frame.
    """

    frames: Tensor
    drawn: Tensor

    @property
    def shape(self) -> torch.Size:
        """The shape of the frames."""
        return self.frames.shape

    def __getitem__(self, key: Any) -> "Deferred":
        return Deferred(self.frames[key], self.drawn[key])

    def pin_memory(self) -> "Deferred":
        """Copy the frames to pinned memory; a DataLoader calls this before frames go to a GPU."""
        return Deferred(self.frames.pin_memory(), self.drawn)

    @staticmethod
    def joined(column: Sequence["Deferred"], pack: bool, ring: "Ring | None" = None) -> "Deferred":
        """Stack tracklets of one shape, or pack them along their frames, in the ring's memory if one is passed."""
        frames, drawn = [item.frames for item in column], [item.drawn for item in column]
        first = frames[0].shape
        shape = (sum(map(len, frames)), *first[1:]) if pack else (len(frames), *first)
        join = torch.cat if pack else torch.stack
        out = large_empty(shape, torch.uint8) if ring is None else ring.take(shape)
        return Deferred(join(frames, out=out), join(drawn))

    def finished(self, transform: DeferrableTransform, device: torch.device) -> Tensor:
        """Return the model's input: float32 of the frames' shape, on `device`."""
        frames = self.frames.to(device, non_blocking=True)
        if device.type != "cpu":
            out = torch.empty(frames.shape, dtype=torch.float32, device=device)
            transform.finish(frames.flatten(0, 1), self.drawn.flatten(0, 1), out.flatten(0, 1))
            return out
        out = large_empty(frames.shape, torch.float32)
        # Finishing tracklets one by one keeps each in the processor's cache.
        for tracklet, drawn, result in zip(frames, self.drawn, out, strict=True):
            transform.finish(tracklet, drawn, result)
        return out


class Ring:
    """Shared memory that a worker reuses in turn, since touching fresh pages costs more than filling them.

    Args:
        slots: the number of tensors in use at a time; a tensor is overwritten once that many more have been taken.
    """

    def __init__(self, slots: int) -> None:
        self.slots = [torch.empty(0, dtype=torch.uint8)] * slots
        self.turn = 0

    def take(self, shape: Sequence[int]) -> Tensor:
        """Return an uninitialised tensor of bytes, in the next slot."""
        slot, size = self.turn % len(self.slots), math.prod(shape)
        self.turn += 1
        if len(self.slots[slot]) < size:
            self.slots[slot] = torch.empty(size, dtype=torch.uint8).share_memory_()
        return self.slots[slot][:size].view(*shape)


FirstHalf = Callable[[Any, Any, Any], tuple[Any, Any]]


def first_half(transform: Callable) -> FirstHalf:
    """Return the part of a transform that workers run: `begin` of a `DeferrableTransform`, the whole of any other.

    Returns:
        A function of frames, info and masks that returns the frames (`Deferred` if they still need `finish`) and the
        masks.
    """
    return partial(_begin if isinstance(transform, DeferrableTransform) else apply_with_masks, transform)


def apply_with_masks(transform: Callable, frames: Any, info: Any, masks: Any) -> tuple[Any, Any]:
    """Apply a whole transform to frames, and move masks with them.

    Args:
        transform: a `DeferrableTransform`, one with a method `with_masks`, or any callable, which leaves masks
            unchanged. A callable with a true attribute `needs_info` takes the tracklet's info as its second argument.
        frames: `[s, ...]`.
        info: `[label, type, view, paths]` of the tracklet.
        masks: `[s, ..., h, w]` or None.
    """
    if isinstance(transform, DeferrableTransform):
        begun, masks, drawn = transform.begin(frames, info, masks)
        return transform.finish(begun, drawn), masks
    if hasattr(transform, "with_masks"):
        return transform.with_masks(frames, info, masks)
    return transform(frames, info) if getattr(transform, "needs_info", False) else transform(frames), masks


def _begin(transform: DeferrableTransform, frames: Any, info: Any, masks: Any) -> tuple[Deferred, Any]:
    begun, masks, drawn = transform.begin(frames, info, masks)
    return Deferred(begun, drawn), masks


def large_empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return an uninitialised tensor for a whole batch.

    numpy asks the kernel for huge pages; with torch's small pages, touching the memory for the first time takes longer
    than filling it.
    """
    return torch.from_numpy(np.empty(tuple(shape), dtype=str(dtype).removeprefix("torch.")))
