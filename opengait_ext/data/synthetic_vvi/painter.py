"""From a placed figure to camera frames: background, light, occluders, lens and sensor."""

from collections.abc import Iterator

import cv2
import numpy as np

from opengait_ext.data.synthetic_vvi.drawing import (
    Placement,
    add_pattern,
    colour_table,
    coverage,
    fine_corners,
    number_table,
    oversampling,
    painted,
    painting_order,
    part_map,
    relief,
)
from opengait_ext.data.synthetic_vvi.scene import Camera, grain, tone_curve
from opengait_ext.data.synthetic_vvi.settings import VISIBLE, SyntheticConfig
from opengait_ext.data.synthetic_vvi.shapes import Part
from opengait_ext.data.synthetic_vvi.wardrobe import Wardrobe, infrared_palette, pattern_mask

# (is a pole, position and extent in pixels, colour)
Occluder = tuple[bool, float, float, np.ndarray]


class Backdrop:
    """The part of a camera's panorama behind the person, frame by frame."""

    def __init__(
        self,
        camera: Camera,
        modality: int,
        size: tuple[int, int],
        scroll: np.ndarray,
        placement: Placement,
        jitter: np.ndarray,
    ) -> None:
        self.panorama = camera.visible if modality == VISIBLE else camera.infrared
        self.size, self.scroll, self.jitter = size, scroll, jitter
        self.margin = (self.panorama.shape[0] - size[0]) / 2

    def __getitem__(self, frame: int) -> np.ndarray:
        """Return frame number `frame`, (height, width, channels) float32."""
        height, width = self.size
        right, down, scale = self.jitter[frame]
        # From frame pixels to panorama pixels: undo the shift and the scale about the middle, then scroll along.
        matrix = np.array(
            [
                [1 / scale, 0, width / 2 - (width / 2 + right) / scale + self.scroll[frame] % self.panorama.shape[1]],
                [0, 1 / scale, height / 2 - (height / 2 + down) / scale + self.margin],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        piece = cv2.warpAffine(self.panorama, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP)
        return piece.reshape(height, width, -1).astype(np.float32)


class Painter:
    """The figure before its background, seen through the camera."""

    def __init__(
        self,
        config: SyntheticConfig,
        modality: int,
        rng: np.random.Generator,
        camera: Camera,
        wardrobe: Wardrobe,
        backgrounds: Backdrop,
        step: float,
        ground: float,
        passer: Wardrobe | None = None,
    ) -> None:
        self.config, self.rng, self.backgrounds, self.step = config, rng, backgrounds, step
        self.ground = ground
        self.visible = modality == VISIBLE
        self.wardrobe = wardrobe
        wearers = [wardrobe] if passer is None else [wardrobe, passer]
        self.palettes = [wearer.colours if self.visible else infrared_palette(wearer, rng) for wearer in wearers]
        self.channels = self.palettes[0].shape[1]
        kind = 0 if self.visible else 1
        unit = config.size[0] / 128
        self.blur = camera.sharpness[kind] * unit
        self.noise_level = camera.noise[kind]
        wobble = tone_curve(rng.uniform(0.92, 1.06), np.ones(self.channels), rng.uniform(0.93, 1.07), 0)
        self.tone = cv2.LUT(camera.tone if self.visible else camera.infrared_tone, wobble).reshape(256, 1, -1)
        self.light = rng.uniform(0.08, 0.22) * rng.choice((-1, 1)) * (1.0 if self.visible else 0.4)
        height, width = config.size
        self.cloth = 1 + 0.07 * grain(rng, (2 * height, 2 * width), 4 * unit)
        bank = (2 * height, 2 * width, self.channels)
        self.noise = self.noise_level * rng.standard_normal(bank, dtype=np.float32)
        self.corners = rng.integers(0, (height, width), (256, 2))
        self.shadow = 0.5 * self._contact_shadow() if self.visible else None
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
        crowded = any(part.wearer for part in parts)
        person = number_table(parts, lambda part: int(part.wearer == 0))
        pattern = None
        if self.visible:
            pattern = pattern_mask(self.wardrobe, 2 * fine[0], 2 * fine[1], float(placement.scale.mean()) * factor)
        for frame in range(len(placement.scale)):
            canvas = part_map(corners, order, frame, fine)
            alpha = coverage(canvas, size)
            silhouette = (coverage(cv2.LUT(canvas, person), size) >= 0.5) if crowded else (alpha >= 0.5)
            numbers = canvas.copy()
            add_pattern(canvas, parts, pattern, tuple(pelvis[frame]))
            figure = painted(canvas, colour_table(parts, self.palettes, frame), size)
            silhouette = np.where(silhouette, 255, 0).astype(np.uint8)
            yield self._finish(frame, figure, alpha, silhouette, pelvis[frame] / factor), silhouette, numbers

    def _finish(
        self, frame: int, figure: np.ndarray, alpha: np.ndarray, silhouette: np.ndarray, anchor: np.ndarray
    ) -> np.ndarray:
        """Return one frame with light, background, occluder, lens and sensor; cut the occluder out of `silhouette`."""
        height, width = alpha.shape
        y, x = (round(side - at) % side for side, at in ((height, anchor[1]), (width, anchor[0])))
        shade = relief(alpha, self.light) * self.cloth[y : y + height, x : x + width]
        picture = self.backgrounds[frame]
        if not self.visible:  # warm bodies glow a little into their surroundings
            picture += 10 * cv2.GaussianBlur(alpha, (0, 0), height / 32)[..., None]
        if self.shadow is not None:
            picture *= 1 - self.shadow
        picture *= 1 - alpha[..., None]
        picture += figure * shade[..., None]
        if self.occluder is not None:
            self._occlude(self.occluder, frame, picture, silhouette)
        y, x = self.corners[frame % len(self.corners)]
        picture += self.noise[y : y + height, x : x + width]
        picture = cv2.convertScaleAbs(np.maximum(picture, 0)).reshape(height, width, -1)
        picture = cv2.GaussianBlur(picture, (0, 0), self.blur)
        if self.blurred[frame % len(self.blurred)]:
            picture = cv2.blur(picture, (self.blur_length, 1))
        return cv2.LUT(picture, self.tone).reshape(height, width, -1)

    def _contact_shadow(self) -> np.ndarray:
        """Return the darkness of the ground under the feet, (height, width, 1) float32 from 0 to 1."""
        height, width = self.config.size
        row, column = np.mgrid[:height, :width].astype(np.float32)
        across = (column - width / 2) / (0.26 * width)
        down = (row - self.ground) / (0.022 * height)
        return np.exp(-(across**2) - down**2)[..., None]

    def _draw_occluder(self) -> Occluder:
        """Draw a pole that the walker passes, or a low hedge."""
        height, width = self.config.size
        pole = self.rng.random() < 0.6
        position = width * self.rng.uniform(0.2, 2.0) if pole else height * self.rng.uniform(0.84, 0.93)
        return pole, position, width * self.rng.uniform(0.06, 0.14), self.rng.uniform(20, 200, (self.channels,))

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
        texture = self.cloth[:height, :width][strip][..., None]
        picture[strip] = colour.astype(np.float32) * texture
        silhouette[strip] = 0
