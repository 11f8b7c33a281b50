"""Joint positions over the gait cycle, in the walker's own frame: x forward, y to the left, z up, in statures.

Phase 0 is the left heel strike. The angles are smooth periodic curves with the features of measured gait: a cosine at
the hip, a small knee flexion under load and a large one in swing, toes up at the strike and down at push-off.
"""

import numpy as np

from opengait_ext.data.synthetic_vvi.person import Body, Gait, Person

SIDES = {"left": 1.0, "right": -1.0}
ANKLE_HEIGHT = 0.035
HEEL_SHARE = 0.28  # share of the foot behind the ankle


def bump(phase: np.ndarray, centre: float, sharpness: float) -> np.ndarray:
    """Return a periodic bump of height 1 around `centre` (in cycles) for phases in radians, shaped like `phase`."""
    return np.exp(sharpness * (np.cos(phase - 2 * np.pi * centre) - 1))


def point(x: np.ndarray | float, y: np.ndarray | float, z: np.ndarray | float) -> np.ndarray:
    """Stack coordinates to (..., 3)."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1)


def along(angle: np.ndarray | float, length: float) -> np.ndarray:
    """Return a vector (..., 3) of `length` that points down at angle 0 and forward at a quarter turn."""
    return point(length * np.sin(angle), 0.0, -length * np.cos(angle))


def leg(body: Body, gait: Gait, phase: np.ndarray, side: float) -> dict[str, np.ndarray]:
    """Return the joints of one leg relative to the pelvis, each (frames, 3)."""
    hip_angle = gait.thigh_offset + gait.stride * np.cos(phase)
    hip_angle = hip_angle + 0.18 * bump(phase, 0.80, 3.0)  # the thigh leads in swing
    knee_angle = 0.04 + gait.stance_flexion * bump(phase, 0.12, 5.0) + gait.knee_lift * bump(phase, 0.71, 4.0)
    foot_angle = gait.toe_up * bump(phase, 0.0, 7.0) - gait.push_off * bump(phase, 0.62, 7.0)
    foot_angle = foot_angle - 0.25 * bump(phase, 0.76, 4.0)
    thigh_length = body.leg * body.thigh_share
    hip = point(0.0, side * 0.50 * body.hip_width, np.zeros_like(phase))
    knee = hip + along(hip_angle, thigh_length)
    ankle = knee + along(hip_angle - knee_angle, body.leg - thigh_length - ANKLE_HEIGHT)
    ankle[:, 1] *= gait.step_width
    out = side * gait.toe_out
    forward = point(np.cos(foot_angle) * np.cos(out), np.cos(foot_angle) * np.sin(out), np.sin(foot_angle))
    down = point(np.sin(foot_angle), 0.0, -np.cos(foot_angle)) * ANKLE_HEIGHT
    heel = ankle + down - forward * body.foot * HEEL_SHARE
    toe = ankle + down + forward * body.foot * (1 - HEEL_SHARE)
    return {"hip": hip, "knee": knee, "ankle": ankle, "heel": heel, "toe": toe}


def arm(body: Body, gait: Gait, phase: np.ndarray, side: float, shoulder: np.ndarray) -> dict[str, np.ndarray]:
    """Return the joints of one arm, each (frames, 3); `phase` is that of the leg on its side, which it opposes."""
    swing = -np.cos(phase)
    upper_angle = gait.arm_offset + gait.arm_swing * swing
    fore_angle = upper_angle + gait.elbow + gait.elbow_swing * (1 + swing) / 2
    aside = point(0.0, side * body.upper_arm * np.sin(gait.arm_out), 0.0)
    elbow = shoulder + along(upper_angle, body.upper_arm * np.cos(gait.arm_out)) + aside
    hand = elbow + along(fore_angle, body.forearm)
    return {"shoulder": shoulder, "elbow": elbow, "hand": hand}


def walk(person: Person, phase: np.ndarray) -> dict[str, np.ndarray]:
    """Return all joints over a walk.

    Args:
        phase: (frames,) of the gait cycle in radians.

    Returns:
        name -> (frames, 3) in statures; the ground is near z = 0 and the pelvis near x = y = 0. Limb joints are named
        `<left|right>_<joint>`; `waist`, `chest`, `neck`, `head` follow the spine upwards from `pelvis`.
    """
    body, gait = person.body, person.gait
    joints: dict[str, np.ndarray] = {}
    for name, side in SIDES.items():
        side_phase = phase if name == "left" else phase + np.pi
        joints |= {f"{name}_{joint}": at for joint, at in leg(body, gait, side_phase, side).items()}
    soles = [joints[f"{name}_{joint}"][:, 2] for name in SIDES for joint in ("heel", "toe")]
    pelvis_height = -np.min(soles, axis=0)
    typical = pelvis_height.mean()
    pelvis_height = typical + gait.bounce * (pelvis_height - typical)
    pelvis = point(0.0, gait.sway * np.cos(phase - 2 * np.pi * 0.25), pelvis_height)
    joints = {name: at + pelvis for name, at in joints.items()}
    joints["pelvis"] = pelvis
    still = np.zeros_like(phase)
    lower, upper = gait.lean, gait.lean + gait.hunch
    joints["waist"] = pelvis - along(still - 0.5 * lower, 0.35 * body.torso)
    joints["chest"] = joints["waist"] - along(still - lower, 0.35 * body.torso)
    joints["neck"] = joints["chest"] - along(still - upper, 0.30 * body.torso)
    joints["head"] = joints["neck"] - along(still - upper - gait.head_forward, body.neck + body.head)
    girdle_turn = 0.12 * gait.arm_swing * np.cos(phase)
    for name, side in SIDES.items():
        side_phase = phase if name == "left" else phase + np.pi
        width = body.shoulder_width - body.arm
        drop = -along(still - upper, 0.48 * 0.30 * body.torso)
        shoulder = joints["chest"] + drop + point(-side * girdle_turn * width, side * width, 0.0)
        joints |= {f"{name}_{joint}": at for joint, at in arm(body, gait, side_phase, side, shoulder).items()}
    return joints
