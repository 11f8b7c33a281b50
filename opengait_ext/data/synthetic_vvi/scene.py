"""Cameras: the scene before them, and how they respond to light."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from opengait_ext.data.synthetic_vvi import walls
from opengait_ext.data.synthetic_vvi.reflectance import WHITE
from opengait_ext.data.synthetic_vvi.settings import VISIBLE, Infrared

PANORAMA_WIDTH = 8  # frame widths
PANORAMA_HEIGHT = 1.3  # frame heights
NEAR_TARGET = (80, 120)  # mean grey value that the exposure of a near-infrared camera aims at, before its gamma
NEAR_GAIN = (0.7, 1.9)  # limits of that exposure


@dataclass(frozen=True)
class Sensor:
    """What one camera sees in one kind of light, and how it records it.

    Attributes:
        panorama: (height, width, channels) uint8.
        along: (width,) float32, brightness of the light along the panorama.
        exposure: factor on all brightness.
        tone: (256, 1, channels) lookup: gain, tint, gamma and haze.
        blur: standard deviation of the lens blur in pixels of a 128-pixel frame.
        noise: standard deviation of the sensor noise in grey values.
    """

    panorama: np.ndarray
    along: np.ndarray
    exposure: float
    tone: np.ndarray
    blur: float
    noise: float


@dataclass(frozen=True)
class Camera:
    """One camera.

    Attributes:
        fill: share of the frame's height that a person takes, before the jitter of the box.
        visible, near, thermal: what it sees in each kind of light.
    """

    fill: float
    visible: Sensor
    near: Sensor
    thermal: Sensor

    def sensor(self, modality: int, infrared: Infrared) -> Sensor:
        """Return what it sees in a modality, whose infrared is of this kind."""
        if modality == VISIBLE:
            return self.visible
        return self.near if infrared == "near" else self.thermal


@lru_cache(maxsize=64)
def camera(seed: int, number: int, size: tuple[int, int]) -> Camera:
    """Return camera `number` (from 1) of the world `seed`, for frames of `size` (height, width)."""
    rng = np.random.default_rng([seed, 3, number])
    fill = rng.uniform(0.86, 0.92)
    width = PANORAMA_WIDTH * size[1]
    layout = walls.draw_layout(rng, round(PANORAMA_HEIGHT * size[0]), width, size[0] / 128)
    even = np.ones(width, dtype=np.float32)
    visible = Sensor(
        panorama=layout.painted(walls.visible_values(rng, layout), 1.0),
        along=even,
        exposure=1.0,
        tone=tone_curve(
            rng.uniform(0.62, 1.15), rng.uniform(0.90, 1.10, 3), rng.uniform(0.75, 1.3), rng.uniform(0, 30)
        ),
        blur=rng.uniform(0.3, 0.7),
        noise=rng.uniform(2, 6),
    )
    thermal = Sensor(
        panorama=layout.painted(walls.thermal_values(rng, layout), 0.8),
        along=even,
        exposure=1.0,
        tone=tone_curve(rng.uniform(0.75, 1.1), np.ones(1), rng.uniform(0.8, 1.25), rng.uniform(0, 25)),
        blur=rng.uniform(0.6, 1.1),
        noise=rng.uniform(4, 9),
    )
    return Camera(fill, visible, near_sensor(rng, layout), thermal)


def near_sensor(rng: np.random.Generator, layout: walls.Layout) -> Sensor:
    """Draw a near-infrared camera: its lamp is brightest in one spot, and its exposure follows the scene."""
    panorama = layout.painted(WHITE * walls.near_values(rng, layout), 1.2)
    width = panorama.shape[1]
    away = (np.arange(width) - width * rng.uniform(0.2, 0.8) + width / 2) % width / (width / 2) - 1
    along = 1.15 / (1 + rng.uniform(0.2, 0.7) * away**2) ** 2
    scene = 0.6 * float(panorama.mean()) + 0.4 * 0.5 * WHITE
    return Sensor(
        panorama=panorama,
        along=along.astype(np.float32),
        exposure=float(np.clip(rng.uniform(*NEAR_TARGET) / scene, *NEAR_GAIN)),
        tone=tone_curve(1.0, np.ones(1), rng.uniform(0.55, 0.8), rng.uniform(0, 20)),
        blur=rng.uniform(0.5, 1.0),
        noise=rng.uniform(4, 9),
    )


def tone_curve(gain: float, tint: np.ndarray, gamma: float, haze: float) -> np.ndarray:
    """Return a lookup table (256, 1, channels) uint8: `haze` is the grey value that black becomes."""
    level = (np.arange(256)[:, None] / 255) ** gamma * gain * tint[None]
    return np.clip(np.round(haze + (255 - haze) * level), 0, 255).astype(np.uint8)[:, None]
