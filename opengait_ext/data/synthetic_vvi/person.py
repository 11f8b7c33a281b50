"""Identity: body shape, gait, and the outline of hair, garments, shoes and baggage.

Lengths are fractions of the stature, angles are radians. Everything here shows in both modalities; colours and
materials are in `wardrobe.py`.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np

HAIR = ("short", "bald", "bob", "long", "ponytail", "bun", "afro", "cap", "hood", "beanie")
UPPER = ("shirt", "tee", "jacket", "coat")
LOWER = ("trousers", "slim", "wide", "shorts", "skirt", "long skirt")
SHOES = ("low", "chunky", "boots")
BAGGAGE = ("none", "backpack", "shoulder bag", "tote")
STRIPS = ("none", "jacket", "shoes", "bag")


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
    head_width: float
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
    toe_out: float
    push_off: float
    arm_swing: float
    arm_offset: float
    arm_out: float
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
    """Everything about a person that a silhouette can show, and where reflective strips are."""

    body: Body
    gait: Gait
    hair: str
    hair_size: float
    upper: str
    fit: float  # statures added around the upper body and the arms
    sleeve: float  # covered share of the forearm; below 0, the sleeve ends on the upper arm
    hem: float  # lower end of a coat or skirt, as a share of the leg
    flare: float  # statures added to the hem on each side
    lower: str
    cuff: float  # statures added to the ends of trousers
    shoes: str
    baggage: str
    baggage_size: float
    strips: str


# Means and standard deviations, which approximate published anthropometry of adults of both sexes.
BODY = {
    "leg": (0.485, 0.013),
    "thigh_share": (0.510, 0.012),
    "torso": (0.308, 0.011),
    "upper_arm": (0.170, 0.007),
    "forearm": (0.150, 0.006),
    "neck": (0.045, 0.007),
    "head": (0.066, 0.0028),
    "head_depth": (0.053, 0.0022),
    "head_width": (0.043, 0.0018),
    "shoulder_width": (0.121, 0.0072),
    "hip_width": (0.090, 0.0060),
    "chest_depth": (0.067, 0.0052),
    "belly": (0.010, 0.0100),
    "seat": (0.016, 0.0065),
    "thigh": (0.051, 0.0036),
    "calf": (0.032, 0.0022),
    "arm": (0.024, 0.0018),
    "foot": (0.148, 0.0055),
}
# The same for walking at a comfortable speed.
GAIT = {
    "cadence": (0.92, 0.065),
    "stride": (0.390, 0.045),
    "thigh_offset": (0.040, 0.030),
    "stance_flexion": (0.180, 0.060),
    "knee_lift": (1.000, 0.095),
    "toe_up": (0.240, 0.080),
    "toe_out": (0.110, 0.080),
    "push_off": (0.680, 0.120),
    "arm_swing": (0.380, 0.140),
    "arm_offset": (0.025, 0.060),
    "arm_out": (0.110, 0.050),
    "elbow": (0.380, 0.160),
    "elbow_swing": (0.200, 0.100),
    "lean": (0.050, 0.045),
    "hunch": (0.160, 0.085),
    "head_forward": (0.100, 0.095),
    "bounce": (1.100, 0.240),
    "sway": (0.0065, 0.0025),
    "step_width": (0.800, 0.150),
}
FARTHEST = 2.5  # standard deviations, beyond which no trait lies
BUILD_SPREAD = 0.08  # of a factor on all thicknesses at once, from slim to stout
THICKNESSES = ("chest_depth", "thigh", "calf", "arm", "hip_width")
# Variation between the walks of one person in standard deviations of all people: speed, load and mood change a gait.
WALK_TO_WALK = 0.5


def normal(rng: np.random.Generator) -> float:
    """Draw from the standard normal distribution without its tails beyond FARTHEST."""
    while abs(value := rng.standard_normal()) > FARTHEST:
        pass
    return float(value)


class Outline:
    """Draws traits of an outline, of which most people have the most common one.

    Args:
        variety: probability of a trait that is drawn from all values, and the share of a range that is used.
    """

    def __init__(self, rng: np.random.Generator, variety: float) -> None:
        self.rng = rng
        self.variety = variety

    def choose(self, names: tuple[str, ...], shares: tuple[float, ...]) -> str:
        """Draw one of `names`, the first of which is the most common one."""
        drawn = names[self.rng.choice(len(names), p=shares)]
        return drawn if self.rng.random() < self.variety else names[0]

    def between(self, low: float, high: float) -> float:
        """Draw a number from the middle of a range."""
        return (low + high) / 2 + self.variety * self.rng.uniform(-1, 1) * (high - low) / 2


def draw_person(rng: np.random.Generator, variety: float = 1.0) -> Person:
    """Draw a person, as a pure function of the generator's state.

    Args:
        variety: of the outlines of hair, garments and baggage, 0 to 1; see `Outline`.
    """
    build = 1 + BUILD_SPREAD * normal(rng)
    body = {name: mean + spread * normal(rng) for name, (mean, spread) in BODY.items()}
    for name in THICKNESSES:
        body[name] *= build
    body["belly"] += 0.12 * max(0.0, build - 1.0)
    gait = {name: mean + spread * normal(rng) for name, (mean, spread) in GAIT.items()}
    outline = Outline(rng, variety)
    upper = outline.choose(UPPER, (0.35, 0.25, 0.22, 0.18))
    lower = outline.choose(LOWER, (0.30, 0.20, 0.15, 0.13, 0.12, 0.10))
    hem = {"coat": (0.25, 0.60), "jacket": (0.02, 0.12)}.get(upper, {"skirt": (0.30, 0.55)}.get(lower, (0.62, 0.88)))
    rolled = rng.random() < 0.25
    sleeve = outline.between(-0.65, -0.05) if upper == "tee" else outline.between(0.1, 0.6) if rolled else 1.0
    return Person(
        body=Body(**body),
        gait=Gait(**gait),
        hair=outline.choose(HAIR, (0.22, 0.06, 0.10, 0.13, 0.11, 0.08, 0.06, 0.10, 0.08, 0.06)),
        hair_size=outline.between(0.65, 1.45),
        upper=upper,
        fit=outline.between(0.0, 0.008) + (0.009 if upper in ("jacket", "coat") else 0.0),
        sleeve=1.0 if upper == "coat" else sleeve,
        hem=outline.between(*hem),
        flare=outline.between(0.0, 0.035),
        lower="trousers" if upper == "coat" and "skirt" in lower else lower,
        cuff=outline.between(0.0, 0.010),
        shoes=outline.choose(SHOES, (0.55, 0.25, 0.20)),
        baggage=outline.choose(BAGGAGE, (0.52, 0.24, 0.14, 0.10)),
        baggage_size=outline.between(0.65, 1.5),
        strips=STRIPS[rng.choice(len(STRIPS), p=(0.70, 0.08, 0.12, 0.10))],
    )


def on_another_day(person: Person, rng: np.random.Generator) -> Person:
    """Return the same person in another walk: same body, slightly different gait."""
    gait = asdict(person.gait)
    for name, (_, spread) in GAIT.items():
        gait[name] += WALK_TO_WALK * spread * normal(rng)
    return replace(person, gait=Gait(**gait))
