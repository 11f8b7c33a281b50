"""Appearance of a figure: colours in visible light, reflectances in near infrared, heat in thermal infrared."""

from dataclasses import dataclass

import numpy as np

from opengait_ext.data.synthetic_vvi import reflectance
from opengait_ext.data.synthetic_vvi.shapes import Paint

SKIN_TONES = ((226, 178, 150), (205, 150, 120), (168, 116, 86), (122, 80, 58), (84, 56, 42))  # RGB
HAIR_TONES = ((28, 24, 22), (58, 40, 28), (104, 72, 44), (150, 148, 146), (168, 132, 82))  # RGB, darkest first
SILVER = (196, 198, 200)  # RGB
LUMA = np.array([0.299, 0.587, 0.114])
PATTERNS = {  # of the upper garment, and how often
    "plain": 0.24,
    "stripes": 0.10,
    "pinstripes": 0.08,
    "checks": 0.08,
    "block": 0.12,
    "band": 0.08,
    "hem": 0.08,
    "sleeves": 0.12,
    "print": 0.10,
}
# Brightness of a material in thermal infrared, 0 to 1; each tracklet adds a random offset.
MATERIALS = {"cotton": 0.62, "fleece": 0.52, "wool": 0.44, "denim": 0.50, "nylon": 0.36, "leather": 0.30}
MATERIAL_SPREAD = 0.07
GARMENTS = ("upper", "lower", "shoes", "headgear", "bag")


@dataclass(frozen=True)
class Wardrobe:
    """One person's colours and materials.

    Attributes:
        colours: (paints, 3) uint8, blue green red, as OpenCV writes it.
        reflectance: (paints,) at 850 nm, from 0 to 1, and more for what sends light back to the lamp.
        pattern, near_pattern: names from PATTERNS, of the upper garment in visible light and in near infrared.
        pattern_size: its period in statures.
        materials: garment -> name of a material.
        folds: seed of the folds and the weave.
    """

    colours: np.ndarray
    reflectance: np.ndarray
    pattern: str
    near_pattern: str
    pattern_size: float
    materials: dict[str, str]
    folds: int


def draw_wardrobe(rng: np.random.Generator, link: float) -> Wardrobe:
    """Draw clothes for one person; nothing here depends on the body, and the colours do not depend on `link`.

    Args:
        link: probability of each garment, and of hair, to be as bright in near infrared as in visible light, compared
            with those of other people; else the two are independent. With the same probability a woven pattern shows
            in both, else near infrared draws its own. A printed pattern shows in visible light only.
    """
    linked = {name: bool(rng.random() < link) for name in ("hair", "weave", "pattern", *GARMENTS)}
    skin = np.array(SKIN_TONES[rng.integers(len(SKIN_TONES))], dtype=float)
    tone = rng.integers(len(HAIR_TONES))
    hair = np.array(HAIR_TONES[tone], dtype=float) * rng.uniform(0.8, 1.2)
    colours, near = {"skin": skin, "face": 1.06 * skin, "hair": hair}, {"skin": rng.uniform(*reflectance.SKIN)}
    near["face"] = 1.04 * near["skin"]
    near["hair"] = reflectance.draw_hair(rng, (tone + rng.random()) / len(HAIR_TONES), linked=linked["hair"])
    for name in (*GARMENTS, "pattern"):
        rank = rng.random()
        colours[name] = _cloth_colour(rng, rank)
        near[name] = reflectance.draw_cloth(rng, rank, linked=linked[name])
    colours |= {"eye": 0.2 * skin, "strip": np.array(SILVER, dtype=float)}
    near |= {"eye": reflectance.EYE, "strip": reflectance.STRIP}
    pattern, other = rng.choice(list(PATTERNS), 2, p=list(PATTERNS.values())).tolist()
    near_pattern = pattern if linked["weave"] else other
    return Wardrobe(
        colours=_grey_values(colours)[:, ::-1].copy(),
        reflectance=np.array([0.0 if paint == Paint.NOTHING else near[paint.name.lower()] for paint in Paint]),
        pattern=pattern,
        near_pattern="plain" if near_pattern == "print" else near_pattern,
        pattern_size=rng.uniform(0.035, 0.075),
        materials={name: str(rng.choice(list(MATERIALS))) for name in GARMENTS},
        folds=int(rng.integers(2**31)),
    )


def thermal_palette(wardrobe: Wardrobe, rng: np.random.Generator) -> np.ndarray:
    """Return the grey values of one thermal tracklet, (paints, 1) uint8; skin is warm, dyed patterns do not show."""
    skin = rng.uniform(0.80, 0.92)
    heat = {name: MATERIALS[kind] + rng.normal(0, MATERIAL_SPREAD) for name, kind in wardrobe.materials.items()}
    heat |= {"skin": skin, "face": skin + 0.06, "eye": skin + 0.04, "hair": rng.uniform(0.34, 0.52)}
    heat |= {"pattern": heat["upper"], "strip": heat["bag"]}
    return _grey_values({name: np.array([255 * value]) for name, value in heat.items()})


def pattern_mask(pattern: str, period: float, height: int, width: int, stature: float) -> np.ndarray | None:
    """Return the mask of the upper garment's second colour, (height, width) bool with the pelvis at the centre.

    Args:
        pattern: a name from PATTERNS.
        period: in statures.
        stature: of the person, in pixels.
    """
    if pattern == "plain":
        return None
    up = (height // 2 - np.arange(height))[:, None] / stature  # from the pelvis, in statures
    right = (np.arange(width) - width // 2)[None] / stature
    period = max(2.0 / stature, period)
    if pattern == "stripes":
        mask = up / period % 1 < 0.45
    elif pattern == "pinstripes":
        mask = 1.6 * right / period % 1 < 0.35
    elif pattern == "checks":
        mask = (up / period % 1 < 0.5) ^ (right / period % 1 < 0.5)
    elif pattern == "block":
        mask = up > 0.20
    elif pattern == "band":
        mask = np.abs(up - 0.17) < 0.035
    elif pattern == "hem":
        mask = up < 0.06
    elif pattern == "sleeves":
        mask = np.ones((1, 1), dtype=bool)  # all of the arms, and nothing else (`add_pattern`)
    else:
        mask = (up - 0.20) ** 2 + right**2 < 0.04**2
    return np.broadcast_to(mask, (height, width))


def _cloth_colour(rng: np.random.Generator, rank: float) -> np.ndarray:
    """Draw a garment's colour, (3,) RGB: one in three is a grey, the rest are hues; the rank sets the luma."""
    luma = 20 + 205 * rank
    saturation = rng.uniform(0.0, 0.12) if rng.random() < 0.33 else rng.uniform(0.2, 0.8)
    hue = np.clip(np.abs((rng.uniform(0, 6) + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    chroma = hue - (LUMA * hue).sum()
    room = np.where(chroma > 0, 250 - luma, luma - 5) / np.abs(chroma)
    return luma + saturation * room.min() * chroma


def _grey_values(values: dict[str, np.ndarray]) -> np.ndarray:
    """Return the values by paint, (paints, channels) uint8, from those by name."""
    nothing = np.zeros_like(values["skin"])
    rows = [nothing if paint == Paint.NOTHING else values[paint.name.lower()] for paint in Paint]
    return np.clip(np.round(rows), 0, 255).astype(np.uint8)
