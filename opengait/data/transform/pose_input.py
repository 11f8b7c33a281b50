"""Inputs of skeleton networks: joints, motion and bones as channels, and the order of axes.

The transforms take skeletons `[T, V, 3]`: x, y and confidence of V joints in T frames.
"""

from typing import Any

import numpy as np

from opengait.data.skeletons import joint_layout
from opengait.data.transform.compose import Compose
from opengait.data.transform.pose import check_joints
from opengait.errors import ConfigError, DataError

_OPENPOSE_12 = [2, 3, 9, 8, 6, 12, 5, 4, 10, 11, 7, 13]
# MSGG's twelve joints, by the numbers of each layout.
_MSGG_JOINTS = {
    "coco": [6, 8, 14, 12, 7, 13, 5, 10, 16, 11, 9, 15],
    "alphapose": _OPENPOSE_12,
    "openpose": _OPENPOSE_12,
}


class GaitTRMultiInput:
    """GaitTR's ten channels: position, position relative to joint 0, motion over one and two frames, and bone.

    The last two frames have zero motion.
    """

    def __init__(self, joint_format: str = "coco") -> None:
        self.connect = joint_layout(joint_format)["connect_joint"]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to `[T, V, 10]`, float64."""
        check_joints(poses, len(self.connect), "GaitTRMultiInput")
        positions = poses[:, :, :2].astype(np.float64)
        one, two = _motion(positions)
        return np.concatenate(
            [positions, positions - positions[:, :1], one, two, positions - positions[:, self.connect]], axis=2
        )


class GaitGraphMultiInput:
    """GaitGraph2's three branches of five channels.

    Joints: x, y, confidence and the position relative to the joint `center`. Motion: over one frame, 0, confidence and
    y over two frames. Bones: x, y, 0, confidence and the angle to the y axis. As upstream writes it, the confidence
    overwrites the motion's x over two frames and the angle to the x axis. The last two frames have zero motion.
    """

    def __init__(self, center: int = 0, joint_format: str = "coco") -> None:
        self.center = center
        self.connect = joint_layout(joint_format)["connect_joint"]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to `[T, V, 3, 5]`, float64; the third axis holds the branches."""
        check_joints(poses, len(self.connect), "GaitGraphMultiInput")
        positions, confidence = poses[:, :, :2].astype(np.float64), poses[:, :, 2]
        one, two = _motion(positions)
        bone = positions - positions[:, self.connect]
        length = np.sqrt((bone**2).sum(axis=2)) + 1e-4

        branches = np.zeros((*poses.shape[:2], 3, 5))
        branches[:, :, 0, :3] = poses[:, :, :3]
        branches[:, :, 0, 3:] = positions - positions[:, self.center, None]
        branches[:, :, 1, :2] = one
        branches[:, :, 1, 4] = two[:, :, 1]
        branches[:, :, 2, :2] = bone
        branches[:, :, 2, 4] = np.arccos(bone[:, :, 1] / length)
        branches[:, :, 1:, 3] = confidence[:, :, None]
        return branches


class GaitGraph1Input:
    """`[T, V, C]` to `[C, T, V, 1]`, GaitGraph's input."""

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        return poses.transpose(2, 0, 1)[..., None]


class SkeletonInput:
    """`[T, V, C]` to `[T, C, V, 1]`."""

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        return poses.transpose(0, 2, 1)[..., None]


class MSGGTransform:
    """Select MSGG's twelve joints of a layout, in its order."""

    def __init__(self, joint_format: str = "coco") -> None:
        if joint_format not in _MSGG_JOINTS:
            raise ConfigError(
                f"MSGGTransform's joint_format: expected one of {', '.join(_MSGG_JOINTS)}, got {joint_format!r}."
            )
        self.joints = _MSGG_JOINTS[joint_format]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to `[T, 12, 3]`.

        Raises:
            DataError: a tracklet has fewer joints.
        """
        if poses.shape[1] <= max(self.joints):
            raise DataError(
                f"MSGGTransform: expected more than {max(self.joints)} joints, got a tracklet of {poses.shape[1]}; "
                f"choose another joint_format."
            )
        return poses[:, self.joints]


class TwoView:
    """Concatenate two random versions of a tracklet on axis 1, for contrastive training.

    Both are made from the same array, so in-place changes of the first pass carry over to the second, as in OpenGait.

    Args:
        trf_cfg: the transforms, as `Compose` takes them.
    """

    def __init__(self, trf_cfg: list) -> None:
        self.transform = Compose(trf_cfg)
        self.needs_info = self.transform.needs_info

    def __call__(self, poses: np.ndarray, info: list | None = None) -> Any:
        """`[T, V, 3]` to `[3, 2T', V, 1]`, if `GaitGraph1Input` comes last."""
        # The transforms may return the array itself, which the second pass changes in place.
        first = np.array(self.transform(poses, info))
        return np.concatenate([first, self.transform(poses, info)], axis=1)


def _motion(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the motion of the frames `[T, V, 2]` over one and two frames; 0 for the last two frames."""
    one, two = np.zeros_like(positions), np.zeros_like(positions)
    one[:-2] = positions[1:-1] - positions[:-2]
    two[:-2] = positions[2:] - positions[:-2]
    return one, two
