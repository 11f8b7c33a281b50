"""Rasterising: polygons to a map of paints, and a painted figure onto its background."""

from dataclasses import dataclass

import cv2
import numpy as np

from opengait_ext.data.synthetic_vvi.shapes import Paint, Part

SUBPIXEL_BITS = 4  # OpenCV takes polygon corners as fixed-point numbers


@dataclass(frozen=True)
class Placement:
    """Position and scale of the figure in each frame: pixel = centre + scale * (right, -up)."""

    centre: np.ndarray  # (frames, 2), x and y in pixels
    scale: np.ndarray  # (frames,), pixels per stature


def oversampling(height: int) -> int:
    """Return the fine pixels per frame pixel on each axis; small frames need more for smooth edges."""
    return 3 if height <= 160 else 2


def fine_corners(parts: list[Part], placement: Placement, factor: int) -> list[np.ndarray]:
    """Return the parts' corners as fixed-point coordinates on the fine grid, each (frames, points, 2) int32."""
    scale = placement.scale[:, None, None] * np.array([1.0, -1.0])
    corners = []
    for part in parts:
        pixels = (placement.centre[:, None] + scale * part.outline) * factor - 0.5
        corners.append(np.round(pixels * (1 << SUBPIXEL_BITS)).astype(np.int32))
    return corners


def paint_map(paints: list[Paint], corners: list[np.ndarray], frame: int, shape: tuple[int, int]) -> np.ndarray:
    """Return the paint that covers each fine pixel of one frame, (height, width) uint8."""
    canvas = np.zeros(shape, dtype=np.uint8)
    for paint, points in zip(paints, corners, strict=True):
        cv2.fillPoly(canvas, [points[frame]], int(paint), cv2.LINE_8, SUBPIXEL_BITS)
    return canvas


def add_pattern(canvas: np.ndarray, pattern: np.ndarray | None, pelvis: tuple[float, float]) -> None:
    """Repaint the upper garment where `pattern` is set; it is twice the canvas in size and centred on the pelvis."""
    if pattern is None:
        return
    height, width = canvas.shape
    x = int(np.clip(pattern.shape[1] // 2 - round(pelvis[0]), 0, pattern.shape[1] - width))
    y = int(np.clip(pattern.shape[0] // 2 - round(pelvis[1]), 0, pattern.shape[0] - height))
    canvas[(canvas == Paint.UPPER) & pattern[y : y + height, x : x + width]] = Paint.PATTERN


def coverage(canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the share of each frame pixel that the figure covers, (height, width) float32 from 0 to 1."""
    covered = cv2.threshold(canvas, 0, 255, cv2.THRESH_BINARY)[1]
    return cv2.resize(covered, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def painted(canvas: np.ndarray, lookup: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Weight the colours by coverage, (height, width, channels) float32; `lookup` is (256, 1, channels) uint8."""
    channels = lookup.shape[-1]
    fine = cv2.LUT(canvas if channels == 1 else cv2.merge([canvas] * channels), lookup)
    small = cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    return small if channels > 1 else small[..., None]


def relief(alpha: np.ndarray, light: float) -> np.ndarray:
    """Return the shading that makes the flat figure look round, lit from the side given by the sign of `light`."""
    soft = cv2.GaussianBlur(alpha, (0, 0), alpha.shape[0] / 42)
    slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=alpha.shape[0] / 128)
    return 0.78 + 0.24 * soft + light * slope
