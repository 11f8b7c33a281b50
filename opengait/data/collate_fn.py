"""From tracklets to the engine's batch tuple: pick frames, decode them, transform them, stack or pack them."""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from opengait.data.deferred import Deferred
from opengait.data.frame_picker import FramePicker
from opengait.data.frames import FrameSource, check_same_length, pick_frames
from opengait.errors import ConfigError, DataError

# OpenGait's own data sets hand over arrays, or lists of frames.
Item = tuple[list[FrameSource | np.ndarray | list], list]


class Prepared(NamedTuple):
    """One tracklet, ready to join a batch; `frames` is how many frames were picked, `info` the data set's."""

    features: list[np.ndarray | torch.Tensor | Deferred]
    info: list
    frames: int


class CollateFn:
    """Makes `[seqs, labels, types, views, seqL]` of a list of data set items.

    Without `transforms` the result is upstream's: `seqs[j]` is a list of arrays of feature j, one a tracklet
    (`fixed_*` sampling) or a single one with all frames of all tracklets (`unfixed_*`, `all_*`). With `transforms`
    `seqs[j]` is a float32 tensor, `[n, s, ...]` or `[1, S, ...]`. `labels` are indices into `label_set`, `types` and
    `views` lists of str, `seqL` None or an int array `[[l1, ..., ln]]` of the lengths of packed tracklets.

    Args:
        label_set: every label, in class order.
        sampler_cfg: the `sampler` section; `sample_type` and its numbers, and `points_in_use`.
        transforms: one callable a feature, applied to each tracklet's picked frames `[s, ...]`; one with a true
            attribute `needs_info` is called with the item's `[label, type, view, paths]` as its second argument.

    Raises:
        ConfigError: the sampler section or the transforms cannot be used.
    """

    def __init__(
        self, label_set: Sequence[str], sampler_cfg: dict[str, Any], transforms: Sequence[Callable] | None = None
    ) -> None:
        self.class_of = {label: index for index, label in enumerate(label_set)}
        self.picker = FramePicker.from_config(sampler_cfg)
        points = sampler_cfg.get("points_in_use") or {}
        self.point_feature = points.get("pointcloud_index")
        self.points_num = points.get("points_num")
        self.transforms = None if transforms is None else list(transforms)
        for transform in self.transforms or ():
            if not callable(transform):
                raise ConfigError(
                    f"An entry of `transform` is a {type(transform).__name__}; a nested list works only with a model "
                    f"that overrides inputs_pretreament."
                )

    def __call__(self, batch: Sequence[Item]) -> list:
        """Collate data set items `(frame sources, [label, type, view, paths])`."""
        return self.join([self.prepare(item) for item in batch])

    def prepare(self, item: Item) -> Prepared:
        """One item's features, picked, decoded and transformed.

        Raises:
            DataError: a frame cannot be read, or features differ in length; the message names the tracklet.
        """
        sources, info = item
        tracklet = "-".join(str(part) for part in info[:3])
        if self.transforms is not None and len(self.transforms) != len(sources):
            raise ConfigError(
                f"`transform` has {len(self.transforms)} entries, but tracklet {tracklet} has {len(sources)} features; "
                f"give one entry a feature."
            )
        try:
            indices = self.picker(check_same_length(sources, tracklet))
            picked = [pick_frames(source, indices) for source in sources]
        except DataError as error:
            if tracklet in str(error):
                raise
            raise DataError(f"Tracklet {tracklet}: {error}") from error
        features = [self._as_array(frames, place, tracklet) for place, frames in enumerate(picked)]
        if self.transforms is not None:
            features = [
                _to_tensor(transform(frames, info) if getattr(transform, "needs_info", False) else transform(frames))
                for transform, frames in zip(self.transforms, features, strict=True)
            ]
        return Prepared(features, info, len(indices))

    def join(self, prepared: Sequence[Prepared]) -> list:
        """The batch tuple of prepared items.

        Raises:
            DataError: tracklets cannot share a batch because their features differ in number or shape.
        """
        infos = [item.info for item in prepared]
        counts = {len(item.features) for item in prepared}
        if len(counts) > 1:
            raise DataError(
                f"Tracklets of one batch have {sorted(counts)} features; every tracklet needs the same files."
            )
        seqs: list = []
        for place in range(counts.pop()):
            column = [item.features[place] for item in prepared]
            if self.picker.packed:
                column = [_joined(column, infos, pack=True)]
            if self.transforms is not None:
                column = column[0][None] if self.picker.packed else _joined(column, infos, pack=False)
            seqs.append(column)
        lengths = [item.frames for item in prepared]
        return [
            seqs,
            [self.class_of[info[0]] for info in infos],
            [info[1] for info in infos],
            [info[2] for info in infos],
            np.asarray([lengths], dtype=np.int32) if self.picker.packed else None,
        ]

    def _as_array(self, frames: Any, place: int, tracklet: str) -> np.ndarray:
        if place == self.point_feature and self.points_num is not None:
            return np.stack([_some_points(cloud, self.points_num) for cloud in frames])
        if isinstance(frames, list):
            raise DataError(
                f"Frames of feature {place} of tracklet {tracklet} differ in shape "
                f"({sorted({frame.shape for frame in frames})}); for point clouds set sampler.points_in_use."
            )
        return frames


def _some_points(cloud: np.ndarray, count: int) -> np.ndarray:
    """`count` points of a cloud `[points, ...]`, drawn with replacement."""
    return cloud[random.choices(range(len(cloud)), k=count)]


def _to_tensor(frames: Any) -> torch.Tensor | Deferred:
    if isinstance(frames, Deferred):
        return frames
    if isinstance(frames, torch.Tensor):
        return frames.to(torch.float32)
    return torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))


def _joined(column: list, infos: list, pack: bool) -> Any:
    """Tracklets' features stacked to `[n, s, ...]`, or packed along their frames."""
    shapes = [tuple(frames.shape[1:] if pack else frames.shape) for frames in column]
    for shape, info in zip(shapes, infos, strict=True):
        if shape != shapes[0]:
            raise DataError(
                f"Tracklet {'-'.join(map(str, info[:3]))} gives {shape} where another of its batch gives {shapes[0]}; "
                f"frames of a feature must have one size."
            )
    if isinstance(column[0], Deferred):
        return Deferred.joined(column, pack)
    if isinstance(column[0], torch.Tensor):
        return torch.cat(column) if pack else torch.stack(column)
    return np.concatenate(column)
