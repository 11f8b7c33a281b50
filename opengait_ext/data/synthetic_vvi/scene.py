"""Cameras: position, response to light, and the long walls that people walk along."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

YAWS = (-18.0, 6.0, 15.0, -6.0, 20.0, -12.0)  # degrees; further cameras draw theirs
PANORAMA_WIDTH = 8  # frame widths
PANORAMA_HEIGHT = 1.3  # frame heights
WALLS = ("plaster", "tiles", "bricks", "foliage", "panels")


@dataclass(frozen=True)
class Camera:
    """One camera.

    Attributes:
        yaw, pitch: radians; the angle of the path to the image plane, and how far the camera looks down.
        fill: share of the frame's height that a person takes, before the jitter of the box.
        sharpness: standard deviation of the lens blur in pixels of a 128-pixel frame, visible and infrared.
        noise: standard deviation of the sensor noise in grey values, visible and infrared.
        visible, infrared: panoramas (height, width, 3) and (height, width, 1), uint8.
        tone: (256, 1, 3) lookup of the visible light: gain, tint, gamma and haze.
        infrared_tone: (256, 1, 1) lookup of the infrared gain and offset.
    """

    yaw: float
    pitch: float
    fill: float
    sharpness: tuple[float, float]
    noise: tuple[float, float]
    visible: np.ndarray
    infrared: np.ndarray
    tone: np.ndarray
    infrared_tone: np.ndarray


@lru_cache(maxsize=64)
def camera(seed: int, number: int, size: tuple[int, int]) -> Camera:
    """Return camera `number` (from 1) of the world `seed`, for frames of `size` (height, width)."""
    rng = np.random.default_rng([seed, 3, number])
    yaw = YAWS[number - 1] + rng.uniform(-2, 2) if number <= len(YAWS) else rng.uniform(-20, 20)
    visible, infrared = panoramas(rng, size)
    return Camera(
        yaw=np.deg2rad(yaw),
        pitch=np.deg2rad(rng.uniform(2, 14)),
        fill=rng.uniform(0.86, 0.92),
        sharpness=(rng.uniform(0.3, 0.7), rng.uniform(0.6, 1.1)),
        noise=(rng.uniform(2, 6), rng.uniform(4, 9)),
        visible=visible,
        infrared=infrared,
        tone=tone_curve(
            rng.uniform(0.62, 1.15), rng.uniform(0.90, 1.10, 3), rng.uniform(0.75, 1.3), rng.uniform(0, 30)
        ),
        infrared_tone=tone_curve(rng.uniform(0.75, 1.1), np.ones(1), rng.uniform(0.8, 1.25), rng.uniform(0, 25)),
    )


def tone_curve(gain: float, tint: np.ndarray, gamma: float, haze: float) -> np.ndarray:
    """Return a lookup table (256, 1, channels) uint8: `haze` is the grey value that black becomes."""
    level = (np.arange(256)[:, None] / 255) ** gamma * gain * tint[None]
    return np.clip(haze + (255 - haze) * level, 0, 255).astype(np.uint8)[:, None]


def panoramas(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return one wall with its objects in colour and in infrared, uint8 (height, width, 3) and (height, width, 1).

    Both are textured as strongly as people are, so that no threshold separates the two.
    """
    height, width = round(PANORAMA_HEIGHT * size[0]), PANORAMA_WIDTH * size[1]
    unit = size[0] / 128
    layers = np.zeros((height, width), dtype=np.uint8)  # 0 wall, 1 mortar, 2 ground, 3 and above objects
    texture = 0.05 * grain(rng, (height, width), 2 * unit) + 0.07 * grain(rng, (height, width), 22 * unit)
    kind = WALLS[rng.integers(len(WALLS))]
    cell_height, cell_width = unit * rng.uniform(7, 16), unit * rng.uniform(9, 30)
    if kind == "foliage":
        texture += 0.24 * grain(rng, (height, width), 3.5 * unit)
        layers[grain(rng, (height, width), 9 * unit) > 0.5] = 1
    elif kind in ("tiles", "bricks", "panels"):
        if kind == "panels":
            cell_height, cell_width = 10.0 * height, unit * rng.uniform(10, 26)
        row, column = np.mgrid[:height, :width]
        shift = (row // cell_height % 2) * cell_width / 2 if kind == "bricks" else 0
        tile = (row // cell_height) * 977 + (column + shift) // cell_width
        texture += 0.09 * np.sin(tile * 12.9898 + rng.uniform(0, 6))
        layers[((column + shift) % cell_width < 1.6 * unit) | (row % cell_height < 1.6 * unit)] = 1
    layers, objects = add_objects(rng, layers, unit)
    horizon = round(height * rng.uniform(0.66, 0.80))
    layers[horizon:] = 2
    slope = np.linspace(0, 1, height - horizon)[:, None]
    texture[horizon:] = 0.10 * grain(rng, (height, width), 1.5 * unit)[horizon:] - 0.15 * slope
    texture[horizon : horizon + max(1, round(2 * unit))] -= 0.3

    hue = rng.uniform(-1, 1, (3 + objects, 3)) * np.where(np.arange(3 + objects) < 3, 14, 36)[:, None]
    colours = np.clip(rng.uniform(45, 200, (3 + objects, 1)) + hue, 15, 235)
    colours[1] = colours[0] * rng.uniform(0.6, 1.3)
    base = rng.choice((rng.uniform(22, 48), rng.uniform(175, 205)))  # a dark or a light camera
    greys = np.clip(base + rng.uniform(-18, 18, (3 + objects, 1)), 14, 220)
    greys[1] = greys[0] * rng.uniform(0.7, 1.4)
    light = 1 + 0.10 * grain(rng, (height, width), 60 * unit)
    pictures = []
    for values, contrast in ((colours, 1.0), (greys, 0.8)):
        picture = values[layers] * ((1 + contrast * texture) * light)[..., None]
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    return pictures[0], pictures[1]


def add_objects(rng: np.random.Generator, layers: np.ndarray, unit: float) -> tuple[np.ndarray, int]:
    """Draw poles, doors, posters and bushes on the wall; return the layers and the number of objects."""
    height, width = layers.shape
    objects = int(rng.integers(3, 8))
    for number in range(3, 3 + objects):
        x, bottom = rng.uniform(0, width), height * rng.uniform(0.55, 0.95)
        kind = rng.integers(4)
        if kind == 0:
            half, top = unit * rng.uniform(1.5, 4), 0.0
        elif kind == 1:
            half, top = unit * rng.uniform(7, 15), height * rng.uniform(0.1, 0.35)
        elif kind == 2:
            half, top = unit * rng.uniform(5, 14), height * rng.uniform(0.1, 0.4)
            bottom = top + unit * rng.uniform(10, 35)
        else:
            axes = (round(unit * rng.uniform(6, 16)), round(unit * rng.uniform(8, 26)))
            cv2.ellipse(layers, (round(x), round(bottom)), axes, 0, 0, 360, number, -1)
            continue
        cv2.rectangle(layers, (round(x - half), round(top)), (round(x + half), round(bottom)), number, -1)
    return layers, objects


def grain(rng: np.random.Generator, shape: tuple[int, int], period: float) -> np.ndarray:
    """Return cloudy noise of about unit variance: three octaves, the coarsest with structures of `period` pixels."""
    total = np.zeros(shape, dtype=np.float32)
    for octave, weight in ((1.0, 0.8), (0.45, 0.5), (0.2, 0.33)):
        fine = max(1.0, octave * period)
        coarse = (max(2, round(shape[1] / fine)), max(2, round(shape[0] / fine)))
        noise = rng.standard_normal((coarse[1], coarse[0]), dtype=np.float32)
        total += weight * cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return total
