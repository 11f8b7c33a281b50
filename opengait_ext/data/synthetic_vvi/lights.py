"""The kinds of light: daylight, a near-infrared lamp beside the lens, and the warmth of the scene itself."""

from abc import ABC, abstractmethod
from functools import lru_cache

import cv2
import numpy as np

from opengait_ext.data.synthetic_vvi.reflectance import WHITE
from opengait_ext.data.synthetic_vvi.scene import Sensor, tone_curve
from opengait_ext.data.synthetic_vvi.settings import VISIBLE, SyntheticConfig
from opengait_ext.data.synthetic_vvi.walls import grain
from opengait_ext.data.synthetic_vvi.wardrobe import Wardrobe, thermal_palette

FOLDS = 0.10  # brightness of the folds that a person's clothes keep, as a share
CREASES = 0.06  # and of those that change from tracklet to tracklet


class Light(ABC):
    """What all kinds share; a subclass draws its own values for one tracklet.

    Attributes:
        tone: (256, 1, channels) lookup from linear to recorded grey values.
        side: (right, down) slope of the light on the figure, positive where the figure's right or lower edge is dark.
        floor, swell: brightness of the figure's edge, and what its middle adds.
        along: (panorama width,) float32, brightness along the path.
        folds: brightness of the folds that a person's clothes keep.
        shot: share of the noise's variance that grows with the signal.
    """

    side = (0.0, 0.0)
    floor, swell = 0.78, 0.24
    folds = FOLDS
    shot = 0.0

    def __init__(self, sensor: Sensor) -> None:
        self.sensor, self.along = sensor, sensor.along
        self.channels = sensor.tone.shape[-1]
        self.tone = sensor.tone

    @abstractmethod
    def palette(self, wardrobe: Wardrobe) -> np.ndarray:
        """Return the colours of a person's paints, (paints, channels) uint8."""

    def pattern(self, wardrobe: Wardrobe) -> str:
        """Return the pattern of a person's upper garment."""
        return "plain"

    def nearness(self, distance: np.ndarray) -> np.ndarray:
        """Return the brightness of the figure by frame, from its distance in any unit, both (frames,)."""
        return np.ones(len(distance))

    def on_figure(self, soft: np.ndarray) -> np.ndarray:
        """Return the shading that makes the flat figure look round, (height, width) float32.

        Args:
            soft: the blurred coverage, (height, width) uint8.
        """
        slope = np.float32(len(soft) / 128 / 255)
        shade = np.float32(self.floor) + np.float32(self.swell / 255) * soft
        for amount, (right, down) in zip(self.side, ((1, 0), (0, 1)), strict=True):
            if amount:
                shade += np.float32(amount) * slope * cv2.Sobel(soft, cv2.CV_16S, right, down, ksize=3)
        return shade

    def behind(self, picture: np.ndarray, alpha: np.ndarray, soft: np.ndarray) -> np.ndarray:
        """Return the background as the figure changes it, (height, width, channels) float32.

        Args:
            alpha, soft: coverage and blurred coverage, (height, width) uint8.
        """
        return picture

    def noise(self, normal: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """Scale standard normal noise for a picture of linear grey values."""
        level = np.float32(self.sensor.noise)
        if not self.shot:
            return level * normal
        return (
            level * np.sqrt(np.float32(1 - self.shot) + np.float32(self.shot / 128) * np.maximum(picture, 0)) * normal
        )


class Daylight(Light):
    """Sun or lamps: white balance, exposure, shade and the side that the light comes from differ between tracklets."""

    def __init__(self, sensor: Sensor, rng: np.random.Generator, size: tuple[int, int], ground: float) -> None:
        super().__init__(sensor)
        warm, green = rng.normal(0, 0.07), rng.normal(0, 0.03)
        tint = np.array([np.exp(-warm), np.exp(green), np.exp(warm)])  # blue, green, red
        gain = float(np.exp(np.clip(rng.normal(-0.03, 0.16), -0.4, 0.18)))
        self.tone = cv2.LUT(sensor.tone, tone_curve(gain, tint, rng.uniform(0.85, 1.18), rng.uniform(0, 12)))
        self.tone = self.tone.reshape(256, 1, -1)
        self.side = (rng.uniform(0.06, 0.30) * rng.choice((-1, 1)), rng.uniform(-0.12, 0.02))
        self.along = 1 + rng.uniform(0.0, 0.14) * grain(rng, (2, len(sensor.along)), size[1])[0]
        self.along = np.clip(self.along, 0.6, 1.3)
        self.contact = contact_shadow(size, ground)
        self.cast = cast_shadow(rng, size, ground)

    def palette(self, wardrobe: Wardrobe) -> np.ndarray:
        """Return the colours of a person's paints, (paints, 3) uint8."""
        return wardrobe.colours

    def pattern(self, wardrobe: Wardrobe) -> str:
        """Return the pattern of a person's upper garment."""
        return wardrobe.pattern

    def behind(self, picture: np.ndarray, alpha: np.ndarray, soft: np.ndarray) -> np.ndarray:
        """Add the shadow under the feet and the one that the figure casts on the ground."""
        first, dark, points = self.cast
        shadow = self.contact.copy()
        strip = shadow[first : first + len(dark)]
        np.maximum(strip, dark * soft.ravel()[points], out=strip)
        picture *= (1 - shadow)[..., None]
        return picture


class Lamp(Light):
    """Active near infrared: the light comes from the lens, so edges are dark and shadows are hidden."""

    floor, swell = 0.62, 0.42
    shot = 0.6

    def __init__(self, sensor: Sensor, rng: np.random.Generator) -> None:
        super().__init__(sensor)
        self.exposure = sensor.exposure * float(np.exp(np.clip(rng.normal(0, 0.12), -0.25, 0.25)))
        self.along = self.along * np.float32(self.exposure)

    def palette(self, wardrobe: Wardrobe) -> np.ndarray:
        """Return the reflectances of a person's paints in grey values, (paints, 1) uint8."""
        return np.clip(np.round(WHITE * wardrobe.reflectance), 0, 255).astype(np.uint8)[:, None]

    def pattern(self, wardrobe: Wardrobe) -> str:
        """Return the pattern of a person's upper garment."""
        return wardrobe.near_pattern

    def nearness(self, distance: np.ndarray) -> np.ndarray:
        """Return the light on the figure, which falls off with the square of its distance, (frames,)."""
        return (np.median(distance) / distance) ** 2


class Warmth(Light):
    """Thermal infrared: bodies glow, and shading is weak."""

    folds = 0.0

    def __init__(self, sensor: Sensor, rng: np.random.Generator) -> None:
        super().__init__(sensor)
        self.rng = rng
        wobble = tone_curve(rng.uniform(0.92, 1.06), np.ones(1), rng.uniform(0.93, 1.07), 0)
        self.tone = cv2.LUT(sensor.tone, wobble).reshape(256, 1, 1)
        self.side = (0.4 * rng.uniform(0.08, 0.22) * rng.choice((-1, 1)), 0.0)

    def palette(self, wardrobe: Wardrobe) -> np.ndarray:
        """Return the heat of a person's paints, (paints, 1) uint8."""
        return thermal_palette(wardrobe, self.rng)

    def behind(self, picture: np.ndarray, alpha: np.ndarray, soft: np.ndarray) -> np.ndarray:
        """Let the warm body glow into its surroundings."""
        return picture + np.float32(10 / 255) * soft[..., None]


def draw_light(
    config: SyntheticConfig, modality: int, sensor: Sensor, rng: np.random.Generator, ground: float
) -> Light:
    """Draw the light of one tracklet; `ground` is the row of the soles."""
    if modality == VISIBLE:
        return Daylight(sensor, rng, config.size, ground)
    return Lamp(sensor, rng) if config.infrared == "near" else Warmth(sensor, rng)


def contact_shadow(size: tuple[int, int], ground: float) -> np.ndarray:
    """Return the darkness of the ground under the feet, (height, width) float32 from 0 to 0.5."""
    height, width = size
    row, column = np.mgrid[:height, :width].astype(float)
    across = (column - width / 2) / (0.26 * width)
    down = (row - ground) / (0.022 * height)
    return (0.5 * np.exp(-(across**2) - down**2)).astype(np.float32)


def cast_shadow(rng: np.random.Generator, size: tuple[int, int], ground: float) -> tuple[int, np.ndarray, np.ndarray]:
    """Draw a shadow that lies on the ground behind the feet, to one side.

    Returns:
        The first of its rows; how dark it gets and which pixel of the figure casts it, both (rows, width).
    """
    height, width = size
    slant, flat = rng.uniform(0.8, 3.0) * rng.choice((-1, 1)), rng.uniform(0.08, 0.22)
    first, last = (int(np.clip(np.ceil(ground - share * height), 0, height)) for share in (flat, 0.0))
    up = ground - np.arange(first, last)[:, None]
    row, column = np.round(ground - up / flat), np.round(np.arange(width) - slant * up)
    inside = (row >= 0) & (column >= 0) & (column < width)
    dark = rng.uniform(0.1, 0.55) / 255 * inside
    points = np.clip(row, 0, height - 1) * width + np.clip(column, 0, width - 1)
    return first, dark.astype(np.float32), points.astype(int)


@lru_cache(maxsize=4)
def kept_folds(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Return the folds that a person's clothes keep around the pelvis, (2 * height, 2 * width) float32 around 0."""
    rng = np.random.default_rng([seed, 0])
    shape, unit = (2 * size[0], 2 * size[1]), size[0] / 128
    return 0.8 * grain(rng, shape, 9 * unit) + 0.4 * grain(rng, shape, 3 * unit)
