"""Identity: body shape, gait, and the outline of hair, garments and baggage.

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
    """The gait of a person; `cadence` is in gait cycles per second, other values in radians unless noted."""

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
    """Everything about a person that a silhouette can show."""

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
    "leg": (0.422, 0.548),
    "thigh_share": (0.454, 0.566),
    "torso": (0.262, 0.353),
    "upper_arm": (0.142, 0.198),
    "forearm": (0.122, 0.178),
    "neck": (0.017, 0.073),
    "head": (0.052, 0.080),
    "head_depth": (0.041, 0.063),
    "shoulder_width": (0.086, 0.149),
    "hip_width": (0.063, 0.112),
    "chest_depth": (0.050, 0.083),
    "belly": (-0.013, 0.037),
    "seat": (0.000, 0.031),
    "thigh": (0.040, 0.061),
    "calf": (0.025, 0.039),
    "arm": (0.018, 0.030),
    "foot": (0.106, 0.169),
}
GAIT_RANGES = {
    "cadence": (0.700, 1.100),
    "stride": (0.239, 0.551),
    "thigh_offset": (-0.035, 0.115),
    "stance_flexion": (0.030, 0.331),
    "knee_lift": (0.688, 1.312),
    "toe_up": (0.030, 0.444),
    "push_off": (0.331, 1.019),
    "arm_swing": (0.048, 0.777),
    "arm_offset": (-0.131, 0.181),
    "elbow": (0.048, 0.834),
    "elbow_swing": (0.000, 0.450),
    "lean": (-0.088, 0.188),
    "hunch": (0.000, 0.383),
    "head_forward": (-0.150, 0.350),
    "bounce": (0.475, 1.725),
    "sway": (0.000, 0.013),
    "step_width": (0.325, 1.075),
}
# A factor on all thicknesses at once, from slim to stout, in addition to the range of each.
BUILD = (0.74, 1.45)
WALK_TO_WALK = 0.03  # variation between walks of a person, as a share of a gait trait's range
THICKNESSES = ("chest_depth", "thigh", "calf", "arm", "hip_width")


def draw_person(rng: np.random.Generator) -> Person:
    """Draw a person, as a pure function of the generator's state."""
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
        hair_size=rng.uniform(0.65, 1.45),
        upper=upper,
        hem=rng.uniform(*hem),
        flare=rng.uniform(0.0, 0.035),
        lower="trousers" if upper == "coat" and "skirt" in lower else lower,
        baggage=BAGGAGE[rng.choice(len(BAGGAGE), p=(0.52, 0.24, 0.14, 0.10))],
        baggage_size=rng.uniform(0.65, 1.5),
    )


def on_another_day(person: Person, rng: np.random.Generator) -> Person:
    """Return the same person in another walk: same body, slightly different gait."""
    gait = asdict(person.gait)
    for name, (low, high) in GAIT_RANGES.items():
        gait[name] += WALK_TO_WALK * (high - low) * rng.normal()
    return replace(person, gait=Gait(**gait))
