"""Random and fixed transforms of skeletons `[T, V, 3]`: x, y and confidence of V joints in T frames.

Draws come from the global stream of `numpy.random`, in OpenGait's order. `MirrorPoses`, `NormalizeEmpty`, `RandomMove`
and `InversePosesPre` change their argument in place, as in OpenGait; `TwoView` relies on that. The frames that they
receive are copies.
"""

import logging
from collections.abc import Sequence

import numpy as np

from opengait.data.skeletons import joint_layout
from opengait.errors import DataError
from opengait.utils.typed import Share

log = logging.getLogger("opengait")

# OpenGait draws from numpy's global stream; a separate Generator would draw different numbers for the same seed.
_random = np.random.random  # noqa: NPY002
_randint = np.random.randint  # noqa: NPY002
_uniform = np.random.uniform  # noqa: NPY002
_normal = np.random.normal  # noqa: NPY002


def check_joints(poses: np.ndarray, joints: int, transform: str) -> None:
    """Check that skeletons `[T, V, ...]` have this number of joints.

    Raises:
        DataError: they do not; the message names the transform.
    """
    if poses.ndim < 2 or poses.shape[1] != joints:
        raise DataError(
            f"{transform}: expected skeletons of {joints} joints, got a tracklet {list(poses.shape)}; choose another "
            f"joint_format."
        )


class RandomSelectSequence:
    """Select `sequence_length` consecutive frames from a random start, which is never the last possible one."""

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
                f"RandomSelectSequence: expected at least {self.sequence_length} frames, got a tracklet of "
                f"{len(poses)}; lower its sequence_length or sample more frames."
            )
        start = _randint(0, spare) if spare else 0
        return poses[start : start + self.sequence_length]


class SelectSequenceCenter:
    """Select the middle `sequence_length` frames; a shorter tracklet is kept whole (OpenGait: its last few frames)."""

    def __init__(self, sequence_length: int = 10) -> None:
        self.sequence_length = sequence_length
        self._logged = False

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, ...]` to `[sequence_length, ...]`, or `[T, ...]` if that is shorter."""
        spare = len(poses) - self.sequence_length
        if spare < 0 and not self._logged:
            self._logged = True
            log.info(
                "SelectSequenceCenter: tracklets shorter than %d frames, such as one of %d, are kept whole.",
                self.sequence_length,
                len(poses),
            )
        start = max(spare, 0) // 2
        return poses[start : start + self.sequence_length]


class MirrorPoses:
    """Mirror every frame's x about its joints' mean with probability `prob`; joints keep their indices."""

    def __init__(self, prob: Share = 0.5) -> None:
        self.prob = prob

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same, in place."""
        poses = _floating(poses)
        if _random() <= self.prob:
            centre = poses[:, :, 0].mean(axis=1, keepdims=True)
            poses[:, :, 0] = 2 * centre - poses[:, :, 0]
        return poses


class NormalizeEmpty:
    """Move undetected joints (x is 0) to the mean of their frame's joints, with confidence 0.

    Joints are filled one by one, and each mean includes those already filled.
    """

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same, in place."""
        poses = _floating(poses)
        for frame, joint in zip(*np.nonzero(poses[:, :, 0] == 0), strict=True):
            poses[frame, joint, :2] = poses[frame, :, :2].mean(axis=0)
            poses[frame, joint, 2] = 0
        return poses


class RandomMove:
    """Shift the whole tracklet by U(-r, r) pixels in x and y; `random_r` holds r for both."""

    def __init__(self, random_r: Sequence[float] = (4, 1)) -> None:
        self.random_r = random_r

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same, in place."""
        poses = _floating(poses)
        for axis in range(2):
            poses[:, :, axis] += _uniform(-self.random_r[axis], self.random_r[axis])
        return poses


class PointNoise:
    """Add N(0, std) to every value, including confidences."""

    def __init__(self, std: float = 0.01) -> None:
        self.std = std

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same."""
        return poses + _normal(0, self.std, poses.shape).astype(np.float32)


class JointNoise:
    """Shift every joint by N(0, std) in x and y, equally in all frames."""

    def __init__(self, std: float = 0.25) -> None:
        self.std = std

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to the same."""
        joints = poses.shape[1]
        noise = np.zeros((joints, 3), dtype=np.float32)
        noise[:, :2] = _normal(0, self.std, (joints, 2))
        return poses + noise


class FlipSequence:
    """Reverse the order of the frames with this probability."""

    def __init__(self, probability: Share = 0.5) -> None:
        self.probability = probability

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, ...]` to the same."""
        return poses[::-1] if _random() <= self.probability else poses


class InversePosesPre:
    """Swap left and right joints, in each frame with this probability."""

    def __init__(self, probability: Share = 0.5, joint_format: str = "coco") -> None:
        self.probability = probability
        self.order = joint_layout(joint_format)["flip_idx"]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, ...]` to the same, in place."""
        check_joints(poses, len(self.order), "InversePosesPre")
        chosen = _random(len(poses)) <= self.probability
        poses[chosen] = poses[chosen][:, self.order]
        return poses


def _floating(poses: np.ndarray) -> np.ndarray:
    """Return the array, as a float64 copy if it holds integers."""
    return poses if np.issubdtype(poses.dtype, np.floating) else poses.astype(np.float64)
