"""From a placed figure to camera frames: background, light, occluders, lens and sensor."""

from collections.abc import Iterator

import cv2
import numpy as np

from opengait_ext.data.synthetic_vvi.drawing import (
    Placement,
    add_pattern,
    colour_tables,
    coverage,
    fine_corners,
    number_table,
    oversampling,
    painted,
    painting_order,
    part_map,
    softened,
)
from opengait_ext.data.synthetic_vvi.lights import CREASES, draw_light, kept_folds
from opengait_ext.data.synthetic_vvi.scene import Sensor
from opengait_ext.data.synthetic_vvi.settings import SyntheticConfig
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part
from opengait_ext.data.synthetic_vvi.walls import grain
from opengait_ext.data.synthetic_vvi.wardrobe import Wardrobe, pattern_mask

NOISE_SHIFTS = 31  # pixels by which one field of sensor noise is shifted, at random in each frame
FRACTION_BITS = 5  # of a pixel, in OpenCV's fixed-point maps
# (is a pole, position and extent in pixels, colour)
Occluder = tuple[bool, float, float, np.ndarray]


class Backdrop:
    """The part of a camera's panorama behind the person, frame by frame."""

    def __init__(self, panorama: np.ndarray, size: tuple[int, int], scroll: np.ndarray, jitter: np.ndarray) -> None:
        self.panorama, self.size, self.scroll, self.jitter = panorama, size, scroll, jitter
        self.margin = (panorama.shape[0] - size[0]) / 2

    def columns(self, frame: int) -> np.ndarray:
        """Return the panorama's columns that a frame's columns show, (width,)."""
        middle, (right, _, scale) = self.size[1] / 2, self.jitter[frame]
        first = self.scroll[frame] % self.panorama.shape[1]
        return (np.arange(self.size[1]) - middle - right) / scale + middle + first

    def __getitem__(self, frame: int) -> np.ndarray:
        """Return frame number `frame`, (height, width, channels) float32."""
        middle, (_, down, scale) = self.size[0] / 2, self.jitter[frame]
        rows = (np.arange(self.size[0]) - middle - down) / scale + middle + self.margin
        # Fixed-point maps give the same pixels in all versions and on all processors, unlike `warpAffine`.
        one = 1 << FRACTION_BITS
        y = np.clip(np.round(one * rows), 0, one * (self.panorama.shape[0] - 1)).astype(int)[:, None]
        x = np.round(one * self.columns(frame)).astype(int) % (one * self.panorama.shape[1])
        whole = np.empty((*self.size, 2), dtype=np.int16)
        whole[..., 0], whole[..., 1] = x // one, y // one
        part = (y % one * one + x % one).astype(np.uint16)
        piece = cv2.remap(self.panorama, whole, part, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
        return piece.reshape(*self.size, -1).astype(np.float32)


class Painter:
    """The figure before its background, seen through the camera."""

    def __init__(
        self,
        config: SyntheticConfig,
        modality: int,
        rng: np.random.Generator,
        sensor: Sensor,
        wardrobes: list[Wardrobe],
        backgrounds: Backdrop,
        step: float,
        ground: float,
    ) -> None:
        self.config, self.rng, self.backgrounds, self.step = config, rng, backgrounds, step
        self.wardrobe = wardrobes[0]
        self.light = draw_light(config, modality, sensor, rng, ground)
        self.palettes = [self.light.palette(wardrobe) for wardrobe in wardrobes]
        height, width = config.size
        unit = height / 128
        self.blur = sensor.blur * unit
        self.grain = grain(rng, (2 * height, 2 * width), 4 * unit)
        folds = kept_folds(self.wardrobe.folds, config.size)[:, :: 1 if step > 0 else -1]
        self.cloth = 1 + np.float32(CREASES) * self.grain + np.float32(self.light.folds) * folds
        bank = (height + NOISE_SHIFTS, width + NOISE_SHIFTS, self.light.channels)
        self.noise = rng.standard_normal(bank, dtype=np.float32)
        self.corners = rng.integers(0, NOISE_SHIFTS + 1, (256, 2))
        self.occluder = self._draw_occluder() if rng.random() < config.occlusion else None
        self.blurred = rng.random(256) < (0.3 if rng.random() < config.motion_blur else 0.0)
        self.blur_length = max(3, round(width * rng.uniform(0.05, 0.09)))

    def frames(
        self, parts: list[Part], placement: Placement, anchor: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield frames and silhouettes, as `Drawn` describes them, and the fine maps of part numbers."""
        size = self.config.size
        factor = oversampling(size[0])
        fine = (size[0] * factor, size[1] * factor)
        order = painting_order(parts)
        corners = fine_corners(parts, placement, factor)
        pelvis = (placement.centre + placement.scale[:, None] * anchor * np.array([1.0, -1.0])) * factor
        name, period = self.light.pattern(self.wardrobe), self.wardrobe.pattern_size
        pattern = pattern_mask(name, period, 2 * fine[0], 2 * fine[1], float(placement.scale.mean()) * factor)
        # What stands still looks larger around a person who walks away.
        nearness = self.light.nearness(self.backgrounds.jitter[:, 2] / placement.scale).astype(np.float32)
        tables = colour_tables(parts, self.palettes)
        garment = number_table(parts, lambda part: patterned(part, name))
        crowded = any(part.wearer for part in parts)
        person = number_table(parts, lambda part: int(part.wearer == 0))
        for frame in range(len(placement.scale)):
            canvas = part_map(corners, order, frame, fine)
            alpha = coverage(canvas, size)
            silhouette = coverage(cv2.LUT(canvas, person), size) >= 128 if crowded else alpha >= 128
            numbers = canvas.copy()
            add_pattern(canvas, garment, pattern, tuple(pelvis[frame]))
            figure = nearness[frame] * painted(canvas, tables[frame], size)
            silhouette = np.where(silhouette, 255, 0).astype(np.uint8)
            yield self._finish(frame, figure, alpha, silhouette, pelvis[frame] / factor), silhouette, numbers

    def _finish(
        self, frame: int, figure: np.ndarray, alpha: np.ndarray, silhouette: np.ndarray, anchor: np.ndarray
    ) -> np.ndarray:
        """Return one frame with light, background, occluder, lens and sensor; cut the occluder out of `silhouette`."""
        height, width = alpha.shape
        y, x = (int(np.clip(side - round(at), 0, side)) for side, at in ((height, anchor[1]), (width, anchor[0])))
        soft = softened(alpha)
        shade = self.light.on_figure(soft) * self.cloth[y : y + height, x : x + width]
        picture = self.light.behind(self.backgrounds[frame], alpha, soft)
        picture *= (np.float32(1 / 255) * (255 - alpha))[..., None]
        picture += figure * shade[..., None]
        if self.occluder is not None:
            self._occlude(self.occluder, frame, picture, silhouette)
        along = self.light.along
        picture *= along[np.floor(self.backgrounds.columns(frame)).astype(int) % len(along)][None, :, None]
        y, x = self.corners[frame % len(self.corners)]
        picture += self.light.noise(self.noise[y : y + height, x : x + width], picture)
        picture = cv2.convertScaleAbs(np.maximum(picture, 0)).reshape(height, width, -1)
        picture = cv2.GaussianBlur(picture, (0, 0), self.blur)
        if self.blurred[frame % len(self.blurred)]:
            picture = cv2.blur(picture, (self.blur_length, 1))
        return cv2.LUT(picture, self.light.tone).reshape(height, width, -1)

    def _draw_occluder(self) -> Occluder:
        """Draw a pole that the walker passes, or a low hedge."""
        height, width = self.config.size
        pole = self.rng.random() < 0.6
        position = width * self.rng.uniform(0.2, 2.0) if pole else height * self.rng.uniform(0.84, 0.93)
        colour = np.full(self.light.channels, self.rng.uniform(30, 180))
        colour += self.rng.uniform(-18, 18, self.light.channels)
        return pole, position, width * self.rng.uniform(0.06, 0.14), colour

    def _occlude(self, occluder: Occluder, frame: int, picture: np.ndarray, silhouette: np.ndarray) -> None:
        """Cover a strip of the picture and remove it from the silhouette."""
        pole, position, extent, colour = occluder
        height, width = silhouette.shape
        if pole:
            first = position - abs(self.step) * frame
            if self.step < 0:
                first = width - extent - first
            strip = (slice(None), slice(max(0, round(first)), max(0, round(first + extent))))
        else:
            strip = (slice(round(position), None), slice(None))
        texture = 1 + np.float32(0.1) * self.grain[:height, :width][strip][..., None]
        picture[strip] = colour.astype(np.float32) * texture
        silhouette[strip] = 0


def patterned(part: Part, pattern: str) -> bool:
    """Return whether a part of the figure carries the person's pattern."""
    return part.wearer == 0 and part.paint == Paint.UPPER and (pattern != "sleeves" or part.limb.endswith("_arm"))
