"""Arms and legs as outlines, with sleeves, trousers and shoes."""

import numpy as np

from opengait_ext.data.synthetic_vvi.pose import ARM, COAT, LEG, LEG_SPREAD, LEGS, ON_ARM, SHOE, STEP, TROUSERS, Pose
from opengait_ext.data.synthetic_vvi.pose import UPPER as UPPER_CLOTHES
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part, capsule

BARE_LEGS = ("shorts", "skirt", "long skirt")
BOOTS_UP = 0.55  # share of the shank above the ankle that boots cover


def leg_parts(pose: Pose, side: str) -> list[Part]:
    """Return shoe, shank and thigh of one side."""
    person, body, lower = pose.person, pose.person.body, pose.person.lower
    hip, knee, ankle, heel, toe = (pose.flat[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle", "heel", "toe"))
    ease = {"wide": 0.012, "trousers": 0.005}.get(lower, 0.0)
    cuff = {"wide": 1.25 * body.calf + 0.008, "trousers": 0.85 * body.calf}.get(lower, 0.62 * body.calf)
    if lower in ("wide", "trousers"):
        cuff += person.cuff
    calf = knee + 0.3 * (ankle - knee)
    at = {name: pose.behind(pose.joints[f"{side}_{name}"]) for name in ("hip", "knee", "ankle", "heel", "toe")}
    thigh_at, shank_at = (at["hip"] + at["knee"]) / 2, (at["knee"] + at["ankle"]) / 2
    # Toes that point at the camera lie before the cuff.
    shoe_at = at["ankle"] + 2.0 * (at["toe"] - at["ankle"]) + 0.1

    def part(paint: Paint, outline: np.ndarray, behind: np.ndarray, label: int, layer: int) -> Part:
        order = LEGS + LEG_SPREAD * behind - layer * STEP
        return pose.part(paint, outline, order, label, f"{side}_leg", shaded_as=behind)

    bare = lower in BARE_LEGS
    shank, label = (Paint.SKIN, LEG[side]) if bare else (Paint.LOWER, TROUSERS)
    sole = 0.005 * (person.shoes == "chunky")
    lift = np.array([0.0, 0.014])
    parts = [
        part(Paint.SHOES, capsule(heel + lift, toe + 0.9 * lift, 0.021 + sole, 0.015 + sole), shoe_at, SHOE[side], 0),
        part(Paint.SHOES, capsule(heel + 1.2 * lift, ankle, 0.020 + sole, 0.024), shoe_at, SHOE[side], 1),
        part(shank, capsule(calf, ankle, body.calf * 1.05 + ease, cuff), shank_at, label, 2),
        part(shank, capsule(knee, calf, 0.66 * body.thigh + ease, body.calf * 1.05 + ease), shank_at, label, 3),
    ]
    if person.shoes == "boots" and (bare or lower == "slim"):
        top = ankle + BOOTS_UP * (calf - ankle)
        boot = capsule(top, ankle, 0.98 * body.calf, 0.72 * body.calf + 0.004)
        parts.append(part(Paint.SHOES, boot, shank_at, SHOE[side], 4))
    if person.strips == "shoes":
        strip = capsule(heel + 1.4 * lift, heel + 0.3 * (toe - heel) + 1.4 * lift, 0.007, 0.006)
        parts.append(part(Paint.STRIP, strip, shoe_at, SHOE[side], 2))
    flare = 0.01 * (lower == "shorts")
    if "skirt" in lower:  # the thigh shows only below the hem, which lies over it
        cloth, label = Paint.SKIN, LEG[side]
    else:
        cloth, label = Paint.LOWER, TROUSERS
    thigh = capsule(hip, knee, body.thigh + ease, 0.68 * body.thigh + ease + flare)
    return [*parts, part(cloth, thigh, thigh_at, label, 5)]


def arm_parts(pose: Pose, side: str) -> list[Part]:
    """Return hand, forearm and upper arm of one side."""
    person, width = pose.person, pose.person.body.arm
    shoulder, elbow, hand = (pose.flat[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "hand"))
    at = {name: pose.behind(pose.joints[f"{side}_{name}"]) for name in ("shoulder", "elbow", "hand")}
    upper_at, fore_at = (at["shoulder"] + at["elbow"]) / 2, (at["elbow"] + at["hand"]) / 2
    garment = COAT if person.upper in ("jacket", "coat") else UPPER_CLOTHES

    def part(paint: Paint, outline: np.ndarray, behind: np.ndarray, label: int, layer: int) -> Part:
        order = ON_ARM + behind - layer * STEP
        return pose.part(paint, outline, order, label, f"{side}_arm", shaded_as=behind)

    def skin(outline: np.ndarray, behind: np.ndarray) -> Part:
        return part(Paint.SKIN, outline, behind, ARM[side], 0)

    def cloth(outline: np.ndarray, behind: np.ndarray) -> Part:
        return part(Paint.UPPER, outline, behind, garment, 1)

    fit, sleeve = person.fit, person.sleeve
    parts = [skin(capsule(hand, hand + 0.18 * (hand - elbow), 0.016, 0.015), fore_at)]
    if sleeve < 1:
        parts.append(skin(capsule(elbow, hand, 0.82 * width, 0.62 * width), fore_at))
    if sleeve > 0:
        end = elbow + sleeve * (hand - elbow)
        last = (0.88 - 0.16 * sleeve) * width + fit
        parts.append(cloth(capsule(elbow, end, 0.90 * width + fit, last), fore_at))
        parts.append(cloth(capsule(shoulder, elbow, 1.12 * width + fit, 0.90 * width + fit), upper_at))
    else:
        parts.append(skin(capsule(shoulder, elbow, 1.0 * width, 0.82 * width), upper_at))
        end = shoulder + (1 + sleeve) * (elbow - shoulder)
        parts.append(cloth(capsule(shoulder, end, 1.12 * width + fit, 1.02 * width + 1.6 * fit), upper_at))
    return parts
