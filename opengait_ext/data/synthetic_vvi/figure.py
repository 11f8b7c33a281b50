"""From joints to outlines: a person as a list of painted polygons, the farthest first."""

from dataclasses import replace

import numpy as np

from opengait_ext.data.synthetic_vvi.head import head_parts
from opengait_ext.data.synthetic_vvi.kinematics import point, walk
from opengait_ext.data.synthetic_vvi.person import Person
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part, View, capsule

BARE_LEGS = ("shorts", "skirt", "long skirt")
EASE = {"shirt": 0.0, "tee": 0.0, "jacket": 0.010, "coat": 0.013}  # distance of a garment from the body, in statures
SPINE = ("pelvis", "waist", "chest", "neck")


def figure(person: Person, view: View, phase: np.ndarray) -> list[Part]:
    """Return all parts of a walking person in painting order, in statures on the image plane.

    Args:
        phase: (frames,) of the gait cycle in radians.
    """
    joints = walk(person, phase)
    flat = {name: view.project(at) for name, at in joints.items()}
    near, far = view.near_side, view.far_side
    parts = arm_parts(person, flat, far)
    parts += baggage_parts(person, view, joints, behind_body=True)
    parts += leg_parts(person, flat, far)
    parts += leg_parts(person, flat, near)
    if "skirt" in person.lower:
        parts.append(Part(Paint.LOWER, hem_outline(person, view, flat, person.hem, person.flare)))
    parts.append(Part(Paint.UPPER, torso_outline(person, view, joints)))
    if person.upper in ("coat", "jacket"):
        hem = person.hem if person.upper == "coat" else min(person.hem, 0.12)
        parts.append(Part(Paint.UPPER, hem_outline(person, view, flat, hem, 0.5 * person.flare)))
    parts += head_parts(person, view, joints, phase)
    parts += baggage_parts(person, view, joints, behind_body=False)
    parts += arm_parts(person, flat, near)
    still = np.ones(len(phase))
    return [replace(part, depth=-index * still, shade=still) for index, part in enumerate(parts)]


def leg_parts(person: Person, flat: dict[str, np.ndarray], side: str) -> list[Part]:
    """Return foot, shank and thigh of one side."""
    body, lower = person.body, person.lower
    cloth, skin, shoes = Paint.LOWER, Paint.SKIN, Paint.SHOES
    hip, knee, ankle, heel, toe = (flat[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle", "heel", "toe"))
    ease = {"wide": 0.012, "trousers": 0.005}.get(lower, 0.0)
    cuff = {"wide": 1.25 * body.calf + 0.014, "trousers": 0.85 * body.calf + 0.006}.get(lower, 0.62 * body.calf)
    lift = np.array([0.0, 0.014])
    shank = skin if lower in BARE_LEGS else cloth
    calf = knee + 0.3 * (ankle - knee)
    return [
        Part(shoes, capsule(heel + lift, toe + 0.9 * lift, 0.021, 0.014)),
        Part(shoes, capsule(heel + 1.2 * lift, ankle, 0.020, 0.024)),
        Part(shank, capsule(calf, ankle, body.calf * 1.05 + ease, cuff)),
        Part(shank, capsule(knee, calf, 0.66 * body.thigh + ease, body.calf * 1.05 + ease)),
        Part(cloth, capsule(hip, knee, body.thigh + ease, 0.68 * body.thigh + ease + 0.01 * (lower == "shorts"))),
    ]


def arm_parts(person: Person, flat: dict[str, np.ndarray], side: str) -> list[Part]:
    """Return hand, forearm and upper arm of one side."""
    cloth, skin = Paint.UPPER, Paint.SKIN
    shoulder, elbow, hand = (flat[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "hand"))
    ease = EASE[person.upper]
    width = person.body.arm
    palm = hand + 0.18 * (hand - elbow)
    fore = Part(skin, capsule(elbow, hand, 0.82 * width, 0.62 * width))
    if person.upper != "tee":
        fore = Part(cloth, capsule(elbow, hand, 0.88 * width + ease, 0.72 * width + ease))
    sleeve = capsule(shoulder, elbow, 1.12 * width + ease, 0.9 * width + ease)
    return [Part(skin, capsule(hand, palm, 0.016, 0.015)), fore, Part(cloth, sleeve)]


def torso_outline(person: Person, view: View, joints: dict[str, np.ndarray]) -> np.ndarray:
    """Return the trunk from crotch to neck as a stack of elliptic cross-sections, (frames, points, 2)."""
    body = person.body
    ease = EASE[person.upper]
    waist_width = 0.42 * (body.hip_width + body.shoulder_width)
    sections = np.array(
        [  # height along SPINE, half width, half depth, shift forward
            (-0.25, 0.75 * body.hip_width, 0.80 * body.thigh + 0.3 * body.seat, -0.2 * body.seat),
            (0.10, body.hip_width, 0.90 * body.chest_depth + 0.5 * body.seat, -0.5 * body.seat),
            (0.55, 0.95 * body.hip_width, 0.88 * body.chest_depth + 0.4 * body.belly, 0.3 * body.belly),
            (1.10, waist_width, 0.86 * body.chest_depth + 0.5 * body.belly, 0.5 * body.belly),
            (1.60, 0.82 * body.shoulder_width, 0.94 * body.chest_depth + 0.2 * body.belly, 0.2 * body.belly),
            (2.10, 0.92 * body.shoulder_width, body.chest_depth, 0.0),
            (2.65, 0.80 * body.shoulder_width, 0.78 * body.chest_depth, -0.004),
            (2.95, 0.45 * body.shoulder_width, 0.50 * body.chest_depth, 0.0),
        ]
    )
    spine = np.stack([joints[name] for name in SPINE])  # (joint, frame, axis)
    left, right = [], []
    for height, lateral, depth, shift in sections:
        joint = int(np.clip(np.floor(height), 0, len(SPINE) - 2))
        middle = spine[joint] + (height - joint) * (spine[joint + 1] - spine[joint])
        centre = view.project(middle + point(shift, 0.0, 0.0))
        half = np.array([view.half_width(lateral + ease, depth + ease), 0.0])
        left.append(centre - half)
        right.append(centre + half)
    return np.stack(left + right[::-1], axis=1)


def hem_outline(person: Person, view: View, flat: dict[str, np.ndarray], hem: float, flare: float) -> np.ndarray:
    """Return a coat or skirt from the hips to the share `hem` of the leg, around both legs, (frames, 6, 2)."""
    body = person.body
    ease = EASE[person.upper] + 0.006
    top = flat["pelvis"] + np.array([0.0, 0.05])
    half = np.array([view.half_width(body.hip_width, 0.9 * body.chest_depth + 0.5 * body.seat) + ease, 0.0])
    rows = []
    for share, margin in ((0.4 * hem, body.thigh), (hem, body.thigh * (1 - 0.3 * hem) + flare)):
        at = np.stack([_down_the_leg(flat, side, share, body.thigh_share) for side in ("left", "right")])
        lowest = at[..., 1].min(axis=0)
        first = np.stack([at[..., 0].min(axis=0) - margin - ease, lowest], axis=-1)
        last = np.stack([at[..., 0].max(axis=0) + margin + ease, lowest], axis=-1)
        rows.append((first, last))
    (mid_left, mid_right), (low_left, low_right) = rows
    return np.stack([top - half, mid_left, low_left, low_right, mid_right, top + half], axis=1)


def _down_the_leg(flat: dict[str, np.ndarray], side: str, share: float, thigh_share: float) -> np.ndarray:
    """Return the point at `share` of the way from hip to ankle, (frames, 2)."""
    hip, knee, ankle = (flat[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
    if share <= thigh_share:
        return hip + share / thigh_share * (knee - hip)
    return knee + (share - thigh_share) / (1 - thigh_share) * (ankle - knee)


def baggage_parts(person: Person, view: View, joints: dict[str, np.ndarray], *, behind_body: bool) -> list[Part]:
    """Return the baggage if it is painted before (`behind_body`) or, respectively, after the body."""
    size = person.baggage_size
    if person.baggage == "backpack":
        hidden = view.away < 0
        back = person.body.chest_depth + EASE[person.upper] + 0.022 * size
        low = view.project(0.3 * joints["pelvis"] + 0.7 * joints["waist"] - point(back, 0.0, 0.0))
        high = view.project(0.8 * joints["chest"] + 0.2 * joints["neck"] - point(back, 0.0, 0.0))
        outline = capsule(low, high, view.half_width(0.085, 0.052 * size), view.half_width(0.075, 0.042 * size))
    elif person.baggage == "shoulder bag":  # worn on the right
        hidden = view.far_side == "right"
        hip = joints["right_hip"] - point(0.03, 0.045, -0.03)
        outline = capsule(
            view.project(hip), view.project(hip - point(0.0, 0.0, 0.06 * size)), 0.052 * size, 0.058 * size
        )
    elif person.baggage == "tote":  # in the left hand
        hidden = view.far_side == "left"
        hand = joints["left_hand"]
        low = view.project(hand - point(0.0, 0.0, 0.06 + 0.09 * size))
        outline = capsule(view.project(hand - point(0.0, 0.0, 0.06)), low, 0.042 * size, 0.05 * size)
    else:
        return []
    return [Part(Paint.BAG, outline)] if hidden == behind_body else []
