"""Random and fixed changes of skeletons `[T, V, 3]`: x, y and confidence of V joints in T frames.

Draws come from the global stream of `numpy.random`, in OpenGait's order. `MirrorPoses`, `NormalizeEmpty`, `RandomMove`
and `InversePosesPre` edit their argument, as OpenGait's do, which `TwoView` depends on; frames are copies by then.
"""

import logging
from collections.abc import Sequence

import numpy as np

from opengait.data.skeletons import LAYOUTS
from opengait.errors import ConfigError, DataError

log = logging.getLogger("opengait")

# OpenGait draws from numpy's global stream; a Generator of our own would give other numbers for the same seed.
_random = np.random.random  # noqa: NPY002
_randint = np.random.randint  # noqa: NPY002
_uniform = np.random.uniform  # noqa: NPY002
_normal = np.random.normal  # noqa: NPY002


def joint_layout(joint_format: str) -> dict:
    """The joints of a layout of `Graph`.

    Raises:
        ConfigError: an unknown layout.
    """
    if joint_format not in LAYOUTS:
        raise ConfigError(f"There is no joint_format {joint_format!r}; known are: {', '.join(LAYOUTS)}.")
    return LAYOUTS[joint_format]


def check_joints(poses: np.ndarray, joints: int, transform: str) -> None:
    """See that skeletons `[T, V, ...]` have that many joints.

    Raises:
        DataError: they do not; the message names the transform.
    """
    if poses.ndim < 2 or poses.shape[1] != joints:
        raise DataError(
            f"{transform} is set for skeletons of {joints} joints, but a tracklet is {list(poses.shape)}; choose "
            f"another joint_format."
        )


class RandomSelectSequence:
    """`sequence_length` frames in a row from a random place, which is never the last one possible."""

    def __init__(self, sequence_length: int = 10) -> None:
        self.sequence_length = sequence_length

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, ...]` to `[sequence_length, ...]`.

        Raises:
            DataError: the tracklet is shorter.
        """
        spare = len(poses) - self.sequence_length
        if spare < 0:
            raise DataError(
                f"RandomSelectSequence wants {self.sequence_length} frames, but a tracklet has {len(poses)}; lower its "
                f"sequence_length or sample more frames."
            )
        start = _randint(0, spare) if spare else 0
        return poses[start : start + self.sequence_length]


class SelectSequenceCenter:
    """The middle `sequence_length` frames; all frames of a shorter tracklet, of which OpenGait keeps its last few."""

    def __init__(self, sequence_length: int = 10) -> None:
        self.sequence_length = sequence_length
        self._told = False

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, ...]` to `[sequence_length, ...]`, or `[T, ...]` if that is shorter."""
        spare = len(poses) - self.sequence_length
        if spare < 0 and not self._told:
            self._told = True
            log.info(
                "SelectSequenceCenter: tracklets shorter than %d frames, such as one of %d, are used whole.",
                self.sequence_length,
                len(poses),
            )
        start = max(spare, 0) // 2
        return poses[start : start + self.sequence_length]


class MirrorPoses:
    """Mirror every frame's x about its joints' mean with probability `prob`; left and right keep their numbers."""

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same, in place."""
        poses = _floating(poses)
        if _random() <= self.prob:
            centre = poses[:, :, 0].mean(axis=1, keepdims=True)
            poses[:, :, 0] = 2 * centre - poses[:, :, 0]
        return poses


class NormalizeEmpty:
    """Put joints that were not found (x is 0) at the mean of their frame's joints, with confidence 0.

    They are filled one after another, and each mean is over all joints as they are then.
    """

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same, in place."""
        poses = _floating(poses)
        for frame, joint in zip(*np.nonzero(poses[:, :, 0] == 0), strict=True):
            poses[frame, joint, :2] = poses[frame, :, :2].mean(axis=0)
            poses[frame, joint, 2] = 0
        return poses


class RandomMove:
    """Move the whole tracklet by U(-r, r) pixels in x and y; `random_r` holds both."""

    def __init__(self, random_r: Sequence[float] = (4, 1)) -> None:
        self.random_r = random_r

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same, in place."""
        poses = _floating(poses)
        for axis in range(2):
            poses[:, :, axis] += _uniform(-self.random_r[axis], self.random_r[axis])
        return poses


class PointNoise:
    """Add N(0, std) to every number, confidences too."""

    def __init__(self, std: float = 0.01) -> None:
        self.std = std

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same."""
        return poses + _normal(0, self.std, poses.shape).astype(np.float32)


class JointNoise:
    """Move every joint by N(0, std) in x and y, by the same in all frames."""

    def __init__(self, std: float = 0.25) -> None:
        self.std = std

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same."""
        joints = poses.shape[1]
        noise = np.zeros((joints, 3), dtype=np.float32)
        noise[:, :2] = _normal(0, self.std, (joints, 2))
        return poses + noise


class FlipSequence:
    """Turn time round with that probability."""

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, ...]` to the same."""
        return poses[::-1] if _random() <= self.probability else poses


class InversePosesPre:
    """Exchange left and right joints, in every frame with that probability."""

    def __init__(self, probability: float = 0.5, joint_format: str = "coco") -> None:
        self.probability = probability
        self.order = joint_layout(joint_format)["flip_idx"]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, ...]` to the same, in place."""
        check_joints(poses, len(self.order), "InversePosesPre")
        chosen = _random(len(poses)) <= self.probability
        poses[chosen] = poses[chosen][:, self.order]
        return poses


def _floating(poses: np.ndarray) -> np.ndarray:
    """The same array; whole numbers as float64, in a copy."""
    return poses if np.issubdtype(poses.dtype, np.floating) else poses.astype(np.float64)
