"""The long walls that people walk along: one layout, seen in visible light, in near infrared and by its warmth."""

from dataclasses import dataclass

import cv2
import numpy as np

WALLS = {"plaster": 0.25, "tiles": 0.20, "bricks": 0.25, "foliage": 0.15, "panels": 0.15}  # and how often
GREEN = (0.45, 0.95, 0.75)  # blue, green, red of foliage in visible light, as shares of its brightness
ALBEDO = {  # of the walls at 850 nm
    "plaster": (0.30, 0.65),
    "tiles": (0.25, 0.60),
    "bricks": (0.25, 0.50),
    "foliage": (0.42, 0.65),
    "panels": (0.12, 0.55),
}
GAPS = ((0.0, 0.2), (0.2, 0.6), (0.6, 1.6))  # distance from the path to the wall, as a share of the lamp's to the path
GAP_SHARES = (0.40, 0.35, 0.25)
WALL, MORTAR, GROUND = 0, 1, 2  # layers; objects come after


@dataclass(frozen=True)
class Layout:
    """What stands along a path.

    Attributes:
        kind: of the wall, from WALLS.
        layers: (height, width) uint8, the layer of each pixel.
        count: number of layers.
        horizon: row where the ground ends.
        texture, light: (height, width) float32 around 0 and around 1, on the layers' brightness.
    """

    kind: str
    layers: np.ndarray
    count: int
    horizon: int
    texture: np.ndarray
    light: np.ndarray

    def painted(self, values: np.ndarray, contrast: float) -> np.ndarray:
        """Return the picture of layers with these values, (height, width, channels) uint8.

        Args:
            values: (layers, channels), or (layers, height, channels) if they differ by row.
        """
        rows = np.arange(len(self.layers))[:, None]
        flat = values[self.layers] if values.ndim == 2 else values[self.layers, rows]
        picture = flat * ((1 + contrast * self.texture) * self.light)[..., None]
        return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def draw_layout(rng: np.random.Generator, height: int, width: int, unit: float) -> Layout:
    """Draw a wall with its objects, textured as strongly as people are, so that no threshold separates the two.

    Args:
        unit: pixels per pixel of a 128-pixel frame.
    """
    layers = np.zeros((height, width), dtype=np.uint8)
    texture = 0.05 * grain(rng, (height, width), 2 * unit) + 0.07 * grain(rng, (height, width), 22 * unit)
    kind = str(rng.choice(list(WALLS), p=list(WALLS.values())))
    cell_height, cell_width = unit * rng.uniform(7, 16), unit * rng.uniform(9, 30)
    if kind == "foliage":
        texture += 0.16 * grain(rng, (height, width), 3.5 * unit)
        layers[np.round(grain(rng, (height, width), 9 * unit), 3) > 0.5] = MORTAR
    elif kind in ("tiles", "bricks", "panels"):
        if kind == "panels":
            cell_height, cell_width = 10.0 * height, unit * rng.uniform(10, 26)
        row, column = np.mgrid[:height, :width]
        shift = (row // cell_height % 2) * cell_width / 2 if kind == "bricks" else 0
        tile = (row // cell_height) * 977 + (column + shift) // cell_width
        texture += 0.09 * np.sin(tile * 12.9898 + rng.uniform(0, 6))
        layers[((column + shift) % cell_width < 1.6 * unit) | (row % cell_height < 1.6 * unit)] = MORTAR
    objects = add_objects(rng, layers, unit)
    horizon = round(height * rng.uniform(0.66, 0.80))
    layers[horizon:] = GROUND
    slope = np.linspace(0, 1, height - horizon)[:, None]
    texture[horizon:] = 0.10 * grain(rng, (height, width), 1.5 * unit)[horizon:] - 0.15 * slope
    texture[horizon : horizon + max(1, round(2 * unit))] -= 0.3
    light = 1 + 0.10 * grain(rng, (height, width), 60 * unit)
    return Layout(kind, layers, GROUND + 1 + objects, horizon, texture, light)


def add_objects(rng: np.random.Generator, layers: np.ndarray, unit: float) -> int:
    """Draw poles, doors, posters and bushes on the wall; return their number."""
    height, width = layers.shape
    objects = int(rng.integers(3, 8))
    for number in range(GROUND + 1, GROUND + 1 + objects):
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
    return objects


def visible_values(rng: np.random.Generator, layout: Layout) -> np.ndarray:
    """Draw the colours of the layers, (layers, 3)."""
    strength = np.where(np.arange(layout.count) <= GROUND, 14, 36)[:, None]
    hue = rng.uniform(-1, 1, (layout.count, 3)) * strength
    colours = np.clip(rng.uniform(45, 200, (layout.count, 1)) + hue, 15, 235)
    if layout.kind == "foliage":
        colours[WALL] = rng.uniform(60, 170) * np.array(GREEN) * rng.uniform(0.8, 1.2, 3)
    colours[MORTAR] = colours[WALL] * rng.uniform(0.6, 1.3)
    return colours


def thermal_values(rng: np.random.Generator, layout: Layout) -> np.ndarray:
    """Draw the warmth of the layers in grey values, (layers, 1): a cold or a warm scene."""
    base = rng.choice((rng.uniform(22, 48), rng.uniform(175, 205)))
    greys = np.clip(base + rng.uniform(-18, 18, (layout.count, 1)), 14, 220)
    greys[MORTAR] = greys[WALL] * rng.uniform(0.7, 1.4)
    return greys


def near_values(rng: np.random.Generator, layout: Layout) -> np.ndarray:
    """Draw the light that comes back from the layers to a lamp at the lens, (layers, height, 1), 1 for a white person.

    The lamp's light falls off with the square of the distance: a wall far behind the path is dark, and the ground gets
    darker from the feet to the wall.
    """
    height = len(layout.layers)
    albedo = rng.uniform(0.06, 0.65, layout.count)
    albedo[WALL] = rng.uniform(*ALBEDO[layout.kind])
    albedo[MORTAR] = albedo[WALL] * (rng.uniform(0.25, 0.5) if layout.kind == "foliage" else rng.uniform(0.7, 1.3))
    albedo[GROUND] = rng.uniform(0.12, 0.50)
    gap = np.full((layout.count, height), rng.uniform(*GAPS[rng.choice(len(GAPS), p=GAP_SHARES)]))
    gap[GROUND + 1 :] *= rng.uniform(0, 1, (layout.count - GROUND - 1, 1))
    gap[GROUND, layout.horizon :] *= np.linspace(1, 0, height - layout.horizon)
    return (albedo[:, None] / (1 + gap) ** 2)[..., None]


def grain(rng: np.random.Generator, shape: tuple[int, int], period: float) -> np.ndarray:
    """Return cloudy noise of about unit variance: three octaves, the coarsest with structures of `period` pixels."""
    total = np.zeros(shape)  # double precision: single precision differs between processors by more than it rounds
    for octave, weight in ((1.0, 0.8), (0.45, 0.5), (0.2, 0.33)):
        fine = max(1.0, octave * period)
        coarse = (max(2, round(shape[0] / fine)), max(2, round(shape[1] / fine)))
        noise = rng.standard_normal(coarse)
        total += weight * cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return total.astype(np.float32)
