"""Who somebody is: body shape, gait, and the outline of hair, garments and baggage.

Lengths are fractions of the stature, angles are radians. Everything here shows in both modalities; colours and
materials are in `wardrobe.py`.
"""

from dataclasses import asdict, dataclass, fields, replace

import numpy as np

HAIR = ("short", "bald", "bob", "long", "ponytail", "bun", "afro", "cap", "hood", "beanie")
UPPER = ("shirt", "tee", "jacket", "coat")
LOWER = ("trousers", "slim", "wide", "shorts", "skirt", "long skirt")
BAGGAGE = ("none", "backpack", "shoulder bag", "tote")


@dataclass(frozen=True)
class Body:
    """Lengths and half-widths of a person, in statures."""

    leg: float
    thigh_share: float
    torso: float
    upper_arm: float
    forearm: float
    neck: float
    head: float
    head_depth: float
    shoulder_width: float
    hip_width: float
    chest_depth: float
    belly: float
    seat: float
    thigh: float
    calf: float
    arm: float
    foot: float


@dataclass(frozen=True)
class Gait:
    """How a person walks; `cadence` is in gait cycles a second, the other values in radians unless said otherwise."""

    cadence: float
    stride: float
    thigh_offset: float
    stance_flexion: float
    knee_lift: float
    toe_up: float
    push_off: float
    arm_swing: float
    arm_offset: float
    elbow: float
    elbow_swing: float
    lean: float
    hunch: float
    head_forward: float
    bounce: float  # factor on the rise and fall of the pelvis
    sway: float  # statures, to the side
    step_width: float  # factor on the distance of the feet from the middle


@dataclass(frozen=True)
class Person:
    """Everything about somebody that a silhouette can show."""

    body: Body
    gait: Gait
    hair: str
    hair_size: float
    upper: str
    hem: float  # lower end of a coat or skirt, as a share of the leg
    flare: float  # statures added to the hem on each side
    lower: str
    baggage: str
    baggage_size: float


BODY_RANGES = {
    "leg": (0.44, 0.53),
    "thigh_share": (0.47, 0.55),
    "torso": (0.275, 0.34),
    "upper_arm": (0.150, 0.190),
    "forearm": (0.130, 0.170),
    "neck": (0.025, 0.065),
    "head": (0.056, 0.076),
    "head_depth": (0.044, 0.060),
    "shoulder_width": (0.095, 0.140),
    "hip_width": (0.070, 0.105),
    "chest_depth": (0.055, 0.078),
    "belly": (-0.006, 0.030),
    "seat": (0.000, 0.026),
    "thigh": (0.043, 0.058),
    "calf": (0.027, 0.037),
    "arm": (0.020, 0.028),
    "foot": (0.115, 0.160),
}
GAIT_RANGES = {
    "cadence": (0.74, 1.06),
    "stride": (0.27, 0.52),
    "thigh_offset": (-0.02, 0.10),
    "stance_flexion": (0.05, 0.30),
    "knee_lift": (0.75, 1.25),
    "toe_up": (0.05, 0.40),
    "push_off": (0.40, 0.95),
    "arm_swing": (0.08, 0.70),
    "arm_offset": (-0.10, 0.15),
    "elbow": (0.08, 0.75),
    "elbow_swing": (0.0, 0.40),
    "lean": (-0.06, 0.16),
    "hunch": (0.0, 0.34),
    "head_forward": (-0.10, 0.30),
    "bounce": (0.6, 1.6),
    "sway": (0.0, 0.012),
    "step_width": (0.4, 1.0),
}
# Slim and stout people differ in every thickness at once; the traits' own ranges come on top.
BUILD = (0.82, 1.28)
WALK_TO_WALK = 0.06  # of a gait trait's range: nobody walks twice alike
THICKNESSES = ("chest_depth", "thigh", "calf", "arm", "hip_width")


def draw_person(rng: np.random.Generator) -> Person:
    """A person, as a pure function of the generator's state."""
    build = rng.uniform(*BUILD)
    body = {field.name: rng.uniform(*BODY_RANGES[field.name]) for field in fields(Body)}
    for name in THICKNESSES:
        body[name] *= build
    body["belly"] += 0.05 * max(0.0, build - 1.05)
    gait = {field.name: rng.uniform(*GAIT_RANGES[field.name]) for field in fields(Gait)}
    upper = UPPER[rng.choice(len(UPPER), p=(0.35, 0.25, 0.22, 0.18))]
    lower = LOWER[rng.choice(len(LOWER), p=(0.30, 0.20, 0.15, 0.13, 0.12, 0.10))]
    hem = {"coat": (0.25, 0.60), "jacket": (0.02, 0.12)}.get(upper, {"skirt": (0.30, 0.55)}.get(lower, (0.62, 0.88)))
    return Person(
        body=Body(**body),
        gait=Gait(**gait),
        hair=HAIR[rng.choice(len(HAIR), p=(0.22, 0.06, 0.10, 0.13, 0.11, 0.08, 0.06, 0.10, 0.08, 0.06))],
        hair_size=rng.uniform(0.75, 1.25),
        upper=upper,
        hem=rng.uniform(*hem),
        flare=rng.uniform(0.0, 0.035),
        lower="trousers" if upper == "coat" and "skirt" in lower else lower,
        baggage=BAGGAGE[rng.choice(len(BAGGAGE), p=(0.52, 0.24, 0.14, 0.10))],
        baggage_size=rng.uniform(0.7, 1.3),
    )


def on_another_day(person: Person, rng: np.random.Generator) -> Person:
    """The same person in another walk: the gait a little changed, the body not."""
    gait = asdict(person.gait)
    for name, (low, high) in GAIT_RANGES.items():
        gait[name] += WALK_TO_WALK * (high - low) * rng.normal()
    return replace(person, gait=Gait(**gait))
