"""Backpacks, shoulder bags and totes as outlines, with their straps."""

import numpy as np

from opengait_ext.data.synthetic_vvi.kinematics import point
from opengait_ext.data.synthetic_vvi.pose import ON_TRUNK, STEP, Pose
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part, capsule

NO_CLASS = 0  # LIP has none for bags
STRAP = 0.011


def baggage_parts(pose: Pose) -> list[Part]:
    """Return what the person carries."""
    return {"backpack": _backpack, "shoulder bag": _shoulder_bag, "tote": _tote}.get(pose.person.baggage, _nothing)(
        pose
    )


def _nothing(pose: Pose) -> list[Part]:
    return []


def _bag(pose: Pose, low: np.ndarray, high: np.ndarray, low_width: np.ndarray, high_width: np.ndarray) -> list[Part]:
    """Return a bag between two points (frames, 3) and its reflective strip, if it has one."""
    behind = pose.behind((low + high) / 2) + ON_TRUNK
    bottom, top = pose.view.project(low), pose.view.project(high)
    outline = capsule(bottom, top, low_width, high_width)
    parts = [pose.part(Paint.BAG, outline, behind, NO_CLASS, "bag", shaded_as=behind)]
    if pose.person.strips == "bag":
        half = 0.8 * np.minimum(low_width, high_width)[:, None] * np.array([1.0, 0.0])
        middle = (bottom + top) / 2
        strip = capsule(middle - half, middle + half, 0.007, 0.007)
        parts.append(pose.part(Paint.STRIP, strip, behind - STEP, NO_CLASS, "bag", shaded_as=behind))
    return parts


def _strap(pose: Pose, start: np.ndarray, end: np.ndarray, behind: float | np.ndarray) -> Part:
    """Return a strap between two points (frames, 3)."""
    outline = capsule(pose.view.project(start), pose.view.project(end), STRAP, STRAP)
    return pose.part(Paint.BAG, outline, behind, NO_CLASS, "bag")


def _backpack(pose: Pose) -> list[Part]:
    """Return a backpack and its straps, which show from the front."""
    person, joints, size = pose.person, pose.joints, pose.person.baggage_size
    back = point(person.body.chest_depth + person.fit + 0.022 * size, 0.0, 0.0)
    low = 0.3 * joints["pelvis"] + 0.7 * joints["waist"] - back
    high = 0.8 * joints["chest"] + 0.2 * joints["neck"] - back
    half_width = pose.view.half_width
    parts = _bag(pose, low, high, half_width(0.085, 0.052 * size), half_width(0.075, 0.042 * size))
    # From behind, the straps lie under the trunk.
    behind = np.where(pose.view.away < 0.25, 3 * ON_TRUNK, -ON_TRUNK)
    for side in (-1.0, 1.0):
        aside = point(0.9 * person.body.chest_depth, side * 0.5 * person.body.shoulder_width, 0.0)
        top = 0.25 * joints["chest"] + 0.75 * joints["neck"] + point(0.0, side * 0.5 * person.body.shoulder_width, 0.0)
        parts.append(_strap(pose, top, joints["waist"] + aside, behind))
    return parts


def _shoulder_bag(pose: Pose) -> list[Part]:
    """Return a bag at the right hip and its strap, which goes over the left shoulder before and behind the trunk."""
    person, joints, size = pose.person, pose.joints, pose.person.baggage_size
    hip = joints["pelvis"] - point(0.03, person.body.hip_width + person.fit, -0.03)
    still = np.ones(len(pose.phase))
    parts = _bag(pose, hip - point(0.0, 0.0, 0.06 * size), hip, 0.058 * size * still, 0.052 * size * still)
    top = 0.25 * joints["chest"] + 0.75 * joints["neck"] + point(0.0, 0.5 * person.body.shoulder_width, 0.0)
    return [*parts, _strap(pose, top, hip, 3 * ON_TRUNK)]


def _tote(pose: Pose) -> list[Part]:
    """Return a bag in the left hand."""
    size, still = pose.person.baggage_size, np.ones(len(pose.phase))
    high = pose.joints["left_hand"] - point(0.0, 0.0, 0.06)
    low = high - point(0.0, 0.0, 0.09 * size)
    return _bag(pose, low, high, 0.05 * size * still, 0.042 * size * still)
