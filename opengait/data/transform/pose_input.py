"""What networks on skeletons read: joints, motion and bones as channels, and the axes in their order.

The transforms take skeletons `[T, V, 3]`: x, y and confidence of V joints in T frames.
"""

from typing import Any

import numpy as np

from opengait.data.transform.compose import Compose
from opengait.data.transform.pose import check_joints, joint_layout
from opengait.errors import ConfigError, DataError

_OPENPOSE_12 = [2, 3, 9, 8, 6, 12, 5, 4, 10, 11, 7, 13]
# MSGG's twelve joints in the numbering of each layout.
_MSGG_JOINTS = {
    "coco": [6, 8, 14, 12, 7, 13, 5, 10, 16, 11, 9, 15],
    "alphapose": _OPENPOSE_12,
    "openpose": _OPENPOSE_12,
}


class GaitTRMultiInput:
    """GaitTR's ten channels: place, place relative to joint 0, motion over one and two frames, and bone.

    The last two frames have no motion.
    """

    def __init__(self, joint_format: str = "coco") -> None:
        self.connect = joint_layout(joint_format)["connect_joint"]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to `[T, V, 10]`, float64."""
        check_joints(poses, len(self.connect), "GaitTRMultiInput")
        place = poses[:, :, :2].astype(np.float64)
        one, two = _motion(place)
        return np.concatenate([place, place - place[:, :1], one, two, place - place[:, self.connect]], axis=2)


class GaitGraphMultiInput:
    """GaitGraph2's three branches of five channels.

    Joints: x, y, confidence and the place relative to the joint `center`. Motion: over one frame, 0, confidence and y
    over two frames. Bones: x, y, 0, confidence and the angle to the y axis. Where upstream writes the confidence, it
    overwrites the motion's x over two frames and the angle to the x axis. The last two frames have no motion.
    """

    def __init__(self, center: int = 0, joint_format: str = "coco") -> None:
        self.center = center
        self.connect = joint_layout(joint_format)["connect_joint"]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to `[T, V, 3, 5]`, float64; the third axis holds the branches."""
        check_joints(poses, len(self.connect), "GaitGraphMultiInput")
        place, confidence = poses[:, :, :2].astype(np.float64), poses[:, :, 2]
        one, two = _motion(place)
        bone = place - place[:, self.connect]
        length = np.sqrt((bone**2).sum(axis=2)) + 1e-4

        branches = np.zeros((*poses.shape[:2], 3, 5))
        branches[:, :, 0, :3] = poses[:, :, :3]
        branches[:, :, 0, 3:] = place - place[:, self.center, None]
        branches[:, :, 1, :2] = one
        branches[:, :, 1, 4] = two[:, :, 1]
        branches[:, :, 2, :2] = bone
        branches[:, :, 2, 4] = np.arccos(bone[:, :, 1] / length)
        branches[:, :, 1:, 3] = confidence[:, :, None]
        return branches


class GaitGraph1Input:
    """`[T, V, C]` to `[C, T, V, 1]`, as GaitGraph reads it."""

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        return poses.transpose(2, 0, 1)[..., None]


class SkeletonInput:
    """`[T, V, C]` to `[T, C, V, 1]`."""

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        return poses.transpose(0, 2, 1)[..., None]


class MSGGTransform:
    """Twelve joints in MSGG's order, out of a layout's."""

    def __init__(self, joint_format: str = "coco") -> None:
        if joint_format not in _MSGG_JOINTS:
            raise ConfigError(
                f"MSGGTransform has no joint_format {joint_format!r}; known are: {', '.join(_MSGG_JOINTS)}."
            )
        self.joints = _MSGG_JOINTS[joint_format]

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """`[T, V, 3]` to `[T, 12, 3]`.

        Raises:
            DataError: a tracklet has fewer joints.
        """
        if poses.shape[1] <= max(self.joints):
            raise DataError(
                f"MSGGTransform needs joint {max(self.joints)}, but a tracklet has {poses.shape[1]} joints; choose "
                f"another joint_format."
            )
        return poses[:, self.joints]


class TwoView:
    """Two random versions of a tracklet, one after the other on axis 1, for contrastive training.

    Both run on the same array: what a transform of the first edits in place, the second finds edited, as in OpenGait.

    Args:
        trf_cfg: the transforms, as `Compose` takes them.
    """

    def __init__(self, trf_cfg: list) -> None:
        self.transform = Compose(trf_cfg)
        self.needs_info = self.transform.needs_info

    def __call__(self, poses: np.ndarray, info: list | None = None) -> Any:
        """`[T, V, 3]` to `[3, 2T', V, 1]`, if `GaitGraph1Input` comes last."""
        # A copy, since without a transform that makes one the first version would be a window on the second.
        first = np.array(self.transform(poses, info))
        return np.concatenate([first, self.transform(poses, info)], axis=1)


def _motion(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each of the frames `[T, V, 2]` moves until the next and the next but one; 0 for the last two frames."""
    one, two = np.zeros_like(place), np.zeros_like(place)
    one[:-2] = place[1:-1] - place[:-2]
    two[:-2] = place[2:] - place[:-2]
    return one, two
