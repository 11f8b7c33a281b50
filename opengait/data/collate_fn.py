"""From tracklets to the engine's batch tuple: pick frames, decode them, transform them, stack or pack them."""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from opengait import distributed
from opengait.data.deferred import DeferrableTransform, Deferred, Ring, first_half
from opengait.data.frame_picker import FramePicker
from opengait.data.frames import FrameSource, check_same_length, named_tracklet, pick_frames
from opengait.errors import ConfigError, DataError

# OpenGait's own datasets return arrays, or lists of frames.
Item = tuple[Sequence[FrameSource | np.ndarray | list], list]
Feature = np.ndarray | torch.Tensor | Deferred


class Prepared(NamedTuple):
    """A tracklet that is ready to join a batch.

    Attributes:
        features: the transformed frames of each feature.
        info: `[label, type, view, paths]`, from the dataset.
        frames: the number of frames that were picked.
    """

    features: list[Feature]
    info: list
    frames: int


class CollateFn:
    """Turn dataset items into a batch `[seqs, labels, types, views, seqL]`.

    Without `transforms` the result is upstream's: `seqs[j]` is a list of arrays of feature j, one per tracklet
    (`fixed_*` sampling) or a single one with all frames of all tracklets (`unfixed_*`, `all_*`). With `transforms`
    `seqs[j]` is a float32 tensor, `[n, s, ...]` or `[1, S, ...]`, or a `Deferred` of that shape if the feature's
    transform is a `DeferrableTransform`. `labels` are indices into `label_set`, `types` and `views` lists of str,
    `seqL` None or an int array `[[l1, ..., ln]]` of the lengths of packed tracklets.

    Args:
        label_set: every label, in class order.
        sampler_cfg: the `sampler` section; `sample_type` and its numbers, and `points_in_use`.
        transforms: one callable per feature, applied to each tracklet's picked frames `[s, ...]`. One with a true
            attribute `needs_info` takes the item's `[label, type, view, paths]` as its second argument. If a transform
            has a true attribute `moves_with_frames`, its feature is first cropped and mirrored with the feature before.
        slots: reuse the memory of a batch's deferred frames after this many batches; 0 allocates it for each batch.

    Raises:
        ConfigError: the sampler section or the transforms cannot be used.
    """

    def __init__(
        self,
        label_set: Sequence[str],
        sampler_cfg: dict[str, Any],
        transforms: Sequence[Callable] | None = None,
        slots: int = 0,
    ) -> None:
        self.class_of = {label: index for index, label in enumerate(label_set)}
        self.picker = FramePicker.from_config(sampler_cfg)
        points = sampler_cfg.get("points_in_use") or {}
        self.point_feature = points.get("pointcloud_index")
        self.points_num = points.get("points_num")
        for transform in transforms or ():
            if not callable(transform):
                raise ConfigError(
                    f"An entry of `transform` is a {type(transform).__name__}; a nested list works only with a model "
                    f"that overrides inputs_pretreament."
                )
        self.first_halves = None if transforms is None else [first_half(transform) for transform in transforms]
        # Features that are cropped and mirrored together with the feature before them.
        self.moved = {
            index for index, transform in enumerate(transforms or ()) if getattr(transform, "moves_with_frames", False)
        }
        # One ring per feature, since all batches of a feature need about the same amount of memory.
        self.rings = [
            Ring(slots) if slots and isinstance(transform, DeferrableTransform) else None
            for transform in transforms or ()
        ]

    def __call__(self, batch: Sequence[Item]) -> list:
        """Collate dataset items `(frame sources, [label, type, view, paths])`."""
        return self.join([self.prepare(item) for item in batch])

    def prepare(self, item: Item, copy: int = 0, seed: int | None = None) -> Prepared:
        """Pick, decode and transform the frames of an item.

        Args:
            item: from the dataset.
            copy: number of the item's copy in the batch; transforms get it as a fifth entry of the item's info.
            seed: of the transforms' draws; by default they follow those that picked the frames.

        Raises:
            DataError: a frame cannot be read, or features differ in length; the message names the tracklet.
        """
        sources, info = item
        tracklet = "-".join(str(part) for part in info[:3])
        if self.first_halves is not None and len(self.first_halves) != len(sources):
            raise ConfigError(
                f"`transform` has {len(self.first_halves)} entries, but tracklet {tracklet} has {len(sources)} "
                f"features; provide one transform per feature."
            )
        with named_tracklet(tracklet):
            indices = self.picker(check_same_length(sources, tracklet))
            picked = [pick_frames(source, indices) for source in sources]
            if seed is not None:
                distributed.seed_cpu(seed)
            features = [self._as_array(frames, number, tracklet) for number, frames in enumerate(picked)]
            return Prepared(self._transform(features, [*info, copy] if copy else info), info, len(indices))

    def join(self, prepared: Sequence[Prepared]) -> list:
        """Return the batch of prepared items.

        Raises:
            DataError: tracklets cannot share a batch because their features differ in number or shape.
        """
        infos = [item.info for item in prepared]
        counts = {len(item.features) for item in prepared}
        if len(counts) > 1:
            raise DataError(
                f"Tracklets of one batch have {sorted(counts)} features; every tracklet needs the same files."
            )
        columns = [[item.features[number] for item in prepared] for number in range(counts.pop())]
        lengths = [item.frames for item in prepared]
        return [
            [self._join_feature(column, infos, number) for number, column in enumerate(columns)],
            [self.class_of[info[0]] for info in infos],
            [info[1] for info in infos],
            [info[2] for info in infos],
            np.asarray([lengths], dtype=np.int32) if self.picker.packed else None,
        ]

    def _transform(self, features: Sequence[np.ndarray], info: list) -> list[Feature]:
        if self.first_halves is None:
            return [*features]
        transformed: list[Any] = [*features]
        for number, begin in enumerate(self.first_halves):
            moves_next = number + 1 in self.moved
            masks = transformed[number + 1] if moves_next else None
            frames, masks = begin(transformed[number], info, masks)
            transformed[number] = _to_tensor(frames)
            if moves_next:
                transformed[number + 1] = masks
        return transformed

    def _join_feature(self, column: list[Feature], infos: list[list], number: int) -> Any:
        """Join the tracklets' values of one feature."""
        if self.first_halves is None:
            return [_joined(column, infos, pack=True)] if self.picker.packed else column
        joined = _joined(column, infos, self.picker.packed, self.rings[number])
        return joined[None] if self.picker.packed else joined

    def _as_array(self, frames: Any, feature: int, tracklet: str) -> np.ndarray:
        if feature == self.point_feature and self.points_num is not None:
            return np.stack([_some_points(cloud, self.points_num) for cloud in frames])
        if isinstance(frames, list):
            raise DataError(
                f"Frames of feature {feature} of tracklet {tracklet} differ in shape "
                f"({sorted({frame.shape for frame in frames})}); for point clouds set sampler.points_in_use."
            )
        return frames


def _some_points(cloud: np.ndarray, count: int) -> np.ndarray:
    """Draw `count` points of a cloud `[points, ...]` with replacement."""
    return cloud[random.choices(range(len(cloud)), k=count)]


def _to_tensor(frames: Any) -> torch.Tensor | Deferred:
    if isinstance(frames, Deferred):
        return frames
    if isinstance(frames, torch.Tensor):
        return frames.to(torch.float32)
    return torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))


def _joined(column: list, infos: list[list], pack: bool, ring: Ring | None = None) -> Any:
    """Stack tracklets' values of a feature to `[n, s, ...]`, or pack them along their frames."""
    shapes = [tuple(frames.shape[1:] if pack else frames.shape) for frames in column]
    for shape, info in zip(shapes, infos, strict=True):
        if shape != shapes[0]:
            raise DataError(
                f"Tracklet {'-'.join(map(str, info[:3]))} has shape {shape}, but another of its batch has {shapes[0]}; "
                f"all frames of a feature must have the same size."
            )
    if isinstance(column[0], Deferred):
        return Deferred.joined(column, pack, ring)
    if isinstance(column[0], torch.Tensor):
        return torch.cat(column) if pack else torch.stack(column)
    return np.concatenate(column)
