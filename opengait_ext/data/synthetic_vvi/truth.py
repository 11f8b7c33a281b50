"""What is true of a drawn frame: the parsing map and the joints with their visibility."""

import cv2
import numpy as np

from opengait_ext.data.synthetic_vvi.drawing import Placement, number_table
from opengait_ext.data.synthetic_vvi.head import head_joints
from opengait_ext.data.synthetic_vvi.pose import Pose
from opengait_ext.data.synthetic_vvi.shapes import Part

# COCO's names, in COCO's order, and the joint of the pose that each is.
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
BODY = {"shoulder": "shoulder", "elbow": "elbow", "wrist": "hand", "hip": "hip", "knee": "knee", "ankle": "ankle"}
JOINTS = (*FACE, *(f"{side}_{name}" for name in BODY for side in ("left", "right")))
OUTSIDE, COVERED, VISIBLE = 0, 1, 2
UNDER_CLOTHES = ("shoulder", "hip", "knee", "ankle")  # joints that garments of the trunk may cover and yet show
BEHIND = 0.02  # statures behind the middle of the trunk from which it covers them


def parsing_map(canvas: np.ndarray, parts: list[Part], silhouette: np.ndarray) -> np.ndarray:
    """Return the class of each pixel of the silhouette by LIP's numbers, (height, width) uint8; bags are 0.

    Args:
        canvas: part numbers on the fine grid.
        silhouette: (height, width), 0 where something else covers the person.
    """
    factor = canvas.shape[0] // silhouette.shape[0]
    person = number_table(parts, lambda part: int(part.wearer == 0))
    labels = number_table(parts, lambda part: part.label)
    numbers = np.ascontiguousarray(canvas[factor // 2 :: factor, factor // 2 :: factor])
    # At edges the middle of a pixel may lie beside the person: take another of its points.
    row, column = np.nonzero(cv2.LUT(numbers, person) < (silhouette > 0))
    points = np.arange(factor)
    inside = canvas[(row[:, None] * factor + points)[..., None], (column[:, None] * factor + points)[:, None]]
    inside = inside.reshape(len(row), factor * factor)
    numbers[row, column] = inside[np.arange(len(row)), person[inside].argmax(axis=1)]
    return cv2.LUT(numbers, labels) * (silhouette > 0)


class Joints:
    """The 17 joints of COCO in the frames of a walk.

    Attributes:
        places: (frames, 17, 2), x and y in pixels from the upper left corner of the frame, to a tenth.
    """

    def __init__(self, pose: Pose, placement: Placement, parts: list[Part]) -> None:
        face = head_joints(pose)
        points = {name: points for name, (points, _) in face.items()}
        points |= {name: pose.joints["_".join((name.split("_")[0], BODY[name.split("_")[1]]))] for name in JOINTS[5:]}
        flat = np.stack([pose.view.project(points[name]) for name in JOINTS], axis=1)
        scale = placement.scale[:, None, None] * np.array([1.0, -1.0])
        self.places = np.round(placement.centre[:, None] + scale * flat, 1)
        behind = np.stack([pose.behind(points[name]) for name in JOINTS], axis=1)
        shown = np.stack([face[name][1] if name in face else np.ones(len(flat), bool) for name in JOINTS], axis=1)
        limbs = [(part.limb if part.wearer == 0 else "") for part in parts]
        # (frames, joints, part numbers): whether the joint shows where that part is on top
        self.shows = np.zeros((len(flat), len(JOINTS), 256), dtype=bool)
        for index, name in enumerate(JOINTS):
            on_limb = np.array([limb == _limb(name) for limb in limbs])
            trunk = np.array([limb == "trunk" for limb in limbs]) & name.endswith(UNDER_CLOTHES)
            before = behind[:, index] < BEHIND
            seen = (on_limb[None] | (trunk[None] & before[:, None])) & shown[:, index, None]
            self.shows[:, index, 1 : len(parts) + 1] = seen

    def at(self, frame: int, canvas: np.ndarray, silhouette: np.ndarray) -> np.ndarray:
        """Return x, y and visibility in a frame, (17, 3); `canvas` and `silhouette` as in `parsing_map`."""
        height, width = silhouette.shape
        factor = canvas.shape[0] // height
        x, y = self.places[frame].T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        column, row = np.where(inside, x, 0), np.where(inside, y, 0)
        numbers = canvas[(row * factor).astype(int), (column * factor).astype(int)]
        uncovered = silhouette[row.astype(int), column.astype(int)] > 0
        shows = self.shows[frame, np.arange(len(JOINTS)), numbers] & uncovered
        visibility = np.where(inside, np.where(shows, VISIBLE, COVERED), OUTSIDE)
        return np.concatenate([self.places[frame], visibility[:, None]], axis=1)


def _limb(joint: str) -> str:
    """Return the limb that a joint of COCO belongs to."""
    if joint in FACE:
        return "head"
    side, name = joint.split("_")
    return f"{side}_{'arm' if name in ('shoulder', 'elbow', 'wrist') else 'leg'}"
