"""Appearance of a figure: colours in visible frames, heat and material in infrared ones, drawn independently."""

from dataclasses import dataclass

import cv2
import numpy as np

from opengait_ext.data.synthetic_vvi.shapes import Paint

SKIN_TONES = ((226, 178, 150), (205, 150, 120), (168, 116, 86), (122, 80, 58), (84, 56, 42))  # RGB
HAIR_TONES = ((28, 24, 22), (58, 40, 28), (104, 72, 44), (168, 132, 82), (150, 148, 146))
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "block", "print")
# Brightness of a material in infrared, 0 to 1; each tracklet adds a random offset.
MATERIALS = {"cotton": 0.62, "fleece": 0.52, "wool": 0.44, "denim": 0.50, "nylon": 0.36, "leather": 0.30}
MATERIAL_SPREAD = 0.07
GARMENTS = ("upper", "lower", "shoes", "headgear", "bag")


@dataclass(frozen=True)
class Wardrobe:
    """One person's colours and materials.

    Attributes:
        colours: (paints, 3) uint8, blue green red, as OpenCV writes it.
        pattern: one of PATTERNS, on the upper garment.
        pattern_size: its period in statures.
        materials: garment -> name of a material.
    """

    colours: np.ndarray
    pattern: str
    pattern_size: float
    materials: dict[str, str]


def draw_wardrobe(rng: np.random.Generator) -> Wardrobe:
    """Draw clothes for one person; nothing here depends on the body, and no material on a colour."""
    skin = np.array(SKIN_TONES[rng.integers(len(SKIN_TONES))], dtype=float)
    hair = np.array(HAIR_TONES[rng.integers(len(HAIR_TONES))], dtype=float) * rng.uniform(0.8, 1.2)
    cloth = {name: _cloth_colour(rng) for name in (*GARMENTS, "pattern")}
    materials = {name: str(rng.choice(list(MATERIALS))) for name in GARMENTS}
    colours = _palette(skin, 1.06 * skin, hair, cloth)
    pattern = PATTERNS[rng.choice(len(PATTERNS), p=(0.45, 0.15, 0.10, 0.10, 0.10, 0.10))]
    return Wardrobe(colours[:, ::-1].copy(), pattern, rng.uniform(0.035, 0.075), materials)


def infrared_palette(wardrobe: Wardrobe, rng: np.random.Generator) -> np.ndarray:
    """Return the grey values of one infrared tracklet, (paints, 1) uint8; skin is warm, dyed patterns do not show."""
    skin = rng.uniform(0.80, 0.92)
    heat = {name: MATERIALS[kind] + rng.normal(0, MATERIAL_SPREAD) for name, kind in wardrobe.materials.items()}
    heat["pattern"] = heat["upper"]
    grey = {name: np.array([255 * value]) for name, value in heat.items()}
    return _palette(
        np.array([255 * skin]), np.array([255 * (skin + 0.06)]), np.array([255 * rng.uniform(0.34, 0.52)]), grey
    )


def pattern_mask(wardrobe: Wardrobe, height: int, width: int, stature: float) -> np.ndarray | None:
    """Return the mask of the upper garment's second colour, (height, width) bool with the pelvis at the centre.

    Args:
        stature: of the person, in pixels.
    """
    period = max(2.0, wardrobe.pattern_size * stature)
    row, column = np.mgrid[:height, :width]
    row = (height // 2 - row) / period  # upwards from the pelvis
    column = (column - width // 2) / period
    if wardrobe.pattern == "plain":
        return None
    if wardrobe.pattern == "stripes":
        return row % 1 < 0.45
    if wardrobe.pattern == "pinstripes":
        return (1.6 * column) % 1 < 0.35
    if wardrobe.pattern == "checks":
        return (row % 1 < 0.5) ^ (column % 1 < 0.5)
    if wardrobe.pattern == "block":
        return row * period > 0.20 * stature
    return (row * period / stature - 0.20) ** 2 + (column * period / stature) ** 2 < 0.04**2


def _cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw a garment's colour, (3,) RGB: one in three is a grey, the rest are hues of any depth."""
    saturation = rng.uniform(0.0, 0.12) if rng.random() < 0.33 else rng.uniform(0.3, 0.85)
    hsv = np.array([[[rng.uniform(0, 180), 255 * saturation, rng.uniform(35, 230)]]], dtype=np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def _palette(skin: np.ndarray, face: np.ndarray, hair: np.ndarray, cloth: dict[str, np.ndarray]) -> np.ndarray:
    """Return the values by paint, (paints, channels) uint8, from those of skin, hair and garments."""
    values = {
        Paint.NOTHING: 0 * skin,
        Paint.SKIN: skin,
        Paint.UPPER: cloth["upper"],
        Paint.LOWER: cloth["lower"],
        Paint.SHOES: cloth["shoes"],
        Paint.HAIR: hair,
        Paint.HEADGEAR: cloth["headgear"],
        Paint.BAG: cloth["bag"],
        Paint.PATTERN: cloth["pattern"],
        Paint.FACE: face,
        Paint.EYE: 0.2 * face,
        Paint.STRIP: cloth["bag"],
    }
    return np.clip(np.stack([values[paint] for paint in Paint]), 0, 255).astype(np.uint8)
