"""From joints to outlines: a person as a list of painted polygons."""

import numpy as np

from opengait_ext.data.synthetic_vvi.baggage import baggage_parts
from opengait_ext.data.synthetic_vvi.head import head_parts
from opengait_ext.data.synthetic_vvi.kinematics import point
from opengait_ext.data.synthetic_vvi.limbs import arm_parts, leg_parts
from opengait_ext.data.synthetic_vvi.pose import COAT, ON_TRUNK, SKIRT, SKIRTS, UPPER, Pose
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part

SPINE = ("pelvis", "waist", "chest", "neck")
JACKET_HEM = 0.12  # share of the leg that a jacket covers at most


def figure(pose: Pose) -> list[Part]:
    """Return all parts of a walking person, in statures on the image plane."""
    person = pose.person
    garment = COAT if person.upper in ("coat", "jacket") else UPPER
    parts = [part for side in ("left", "right") for part in leg_parts(pose, side)]
    if "skirt" in person.lower:
        skirt = hem_outline(pose, person.hem, person.flare)
        parts.append(pose.part(Paint.LOWER, skirt, SKIRTS, SKIRT, "trunk"))
    parts.append(pose.part(Paint.UPPER, trunk_outline(pose, TRUNK_HEIGHTS), 0.0, garment, "trunk"))
    if garment == COAT:
        hem = person.hem if person.upper == "coat" else min(person.hem, JACKET_HEM)
        parts.append(pose.part(Paint.UPPER, hem_outline(pose, hem, 0.5 * person.flare), ON_TRUNK, COAT, "trunk"))
    if person.strips == "jacket":
        band = trunk_outline(pose, np.array([1.25, 1.38]))
        parts.append(pose.part(Paint.STRIP, band, 2 * ON_TRUNK, garment, "trunk"))
    parts += head_parts(pose)
    parts += baggage_parts(pose)
    return parts + [part for side in ("left", "right") for part in arm_parts(pose, side)]


TRUNK_HEIGHTS = np.array([-0.25, 0.10, 0.55, 1.10, 1.60, 2.10, 2.65, 2.95])  # along SPINE


def trunk_outline(pose: Pose, heights: np.ndarray) -> np.ndarray:
    """Return the trunk between the first and the last of `heights` along SPINE, (frames, 2 * heights, 2).

    The whole trunk, from crotch to neck, has TRUNK_HEIGHTS. It is a stack of elliptic cross-sections.
    """
    body, fit = pose.person.body, pose.person.fit
    sections = np.array(
        [  # half width, half depth, shift forward
            (0.75 * body.hip_width, 0.80 * body.thigh + 0.3 * body.seat, -0.2 * body.seat),
            (body.hip_width, 0.90 * body.chest_depth + 0.5 * body.seat, -0.5 * body.seat),
            (0.95 * body.hip_width, 0.88 * body.chest_depth + 0.4 * body.belly, 0.3 * body.belly),
            (
                0.42 * (body.hip_width + body.shoulder_width),
                0.86 * body.chest_depth + 0.5 * body.belly,
                0.5 * body.belly,
            ),
            (0.82 * body.shoulder_width, 0.94 * body.chest_depth + 0.2 * body.belly, 0.2 * body.belly),
            (0.92 * body.shoulder_width, body.chest_depth, 0.0),
            (0.87 * body.shoulder_width, 0.78 * body.chest_depth, -0.004),
            (0.40 * body.shoulder_width, 0.50 * body.chest_depth, 0.0),
        ]
    )
    spine = np.stack([pose.joints[name] for name in SPINE])  # (joint, frame, axis)
    left, right = [], []
    for height in heights:
        lateral, depth, shift = (np.interp(height, TRUNK_HEIGHTS, column) for column in sections.T)
        joint = int(np.clip(np.floor(height), 0, len(SPINE) - 2))
        middle = spine[joint] + (height - joint) * (spine[joint + 1] - spine[joint])
        centre = pose.view.project(middle + point(shift, 0.0, 0.0))
        half = pose.view.half_width(lateral + fit, depth + fit)[:, None] * np.array([1.0, 0.0])
        left.append(centre - half)
        right.append(centre + half)
    return np.stack(left + right[::-1], axis=1)


def hem_outline(pose: Pose, hem: float, flare: float) -> np.ndarray:
    """Return a coat or skirt from the hips to the share `hem` of the leg, around both legs, (frames, 6, 2)."""
    body = pose.person.body
    ease = pose.person.fit + 0.006
    top = pose.flat["pelvis"] + np.array([0.0, 0.05])
    half = pose.view.half_width(body.hip_width, 0.9 * body.chest_depth + 0.5 * body.seat) + ease
    half = half[:, None] * np.array([1.0, 0.0])
    rows = []
    for share, margin in ((0.4 * hem, body.thigh), (hem, body.thigh * (1 - 0.3 * hem) + flare)):
        at = np.stack([_down_the_leg(pose, side, share) for side in ("left", "right")])
        lowest = at[..., 1].min(axis=0)
        first = np.stack([at[..., 0].min(axis=0) - margin - ease, lowest], axis=-1)
        last = np.stack([at[..., 0].max(axis=0) + margin + ease, lowest], axis=-1)
        rows.append((first, last))
    (mid_left, mid_right), (low_left, low_right) = rows
    return np.stack([top - half, mid_left, low_left, low_right, mid_right, top + half], axis=1)


def _down_the_leg(pose: Pose, side: str, share: float) -> np.ndarray:
    """Return the point at `share` of the way from hip to ankle, (frames, 2)."""
    hip, knee, ankle = (pose.flat[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
    thigh_share = pose.person.body.thigh_share
    if share <= thigh_share:
        return hip + share / thigh_share * (knee - hip)
    return knee + (share - thigh_share) / (1 - thigh_share) * (ankle - knee)
