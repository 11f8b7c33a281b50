"""Rasterising: polygons to a map of parts, and a painted figure onto its background."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from opengait_ext.data.synthetic_vvi.shapes import Paint, Part

SUBPIXEL_BITS = 4  # OpenCV takes polygon corners as fixed-point numbers
PATTERNED = 128  # added to a part's number where the pattern of its garment shows; a figure has fewer parts


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


def painting_order(parts: list[Part]) -> np.ndarray:
    """Return the indices of the parts in each frame, the farthest first, (frames, parts)."""
    depth = np.round([part.depth for part in parts], 6)  # parts that touch keep their order on every machine
    return np.argsort(-depth, axis=0, kind="stable").T


def part_map(corners: list[np.ndarray], order: np.ndarray, frame: int, shape: tuple[int, int]) -> np.ndarray:
    """Return the part that covers each fine pixel of one frame, counted from 1, (height, width) uint8."""
    canvas = np.zeros(shape, dtype=np.uint8)
    for index in order[frame].tolist():
        # Unlike `fillPoly`, the same pixels in OpenCV 4 and 5. Rows must cut an outline at most twice, as all do.
        cv2.fillConvexPoly(canvas, corners[index][frame], index + 1, cv2.LINE_8, SUBPIXEL_BITS)
    return canvas


def colour_tables(parts: list[Part], palettes: list[np.ndarray]) -> np.ndarray:
    """Return the colours of a canvas's numbers in each frame, (frames, 256, 1, channels) uint8.

    Args:
        palettes: the colours of each wearer's paints, (paints, channels) each.
    """
    shade = np.stack([part.shade for part in parts], axis=1)[..., None]  # (frames, parts, 1)
    tables = np.zeros((len(shade), 256, 1, palettes[0].shape[1]), dtype=np.uint8)
    for first, pattern in ((1, False), (1 + PATTERNED, True)):
        paints = [Paint.PATTERN if pattern else part.paint for part in parts]
        colours = np.stack([palettes[part.wearer][paint] for part, paint in zip(parts, paints, strict=True)])
        tables[:, first : first + len(parts), 0] = np.round(shade * colours)
    return tables


def add_pattern(
    canvas: np.ndarray, garment: np.ndarray, pattern: np.ndarray | None, pelvis: tuple[float, float]
) -> None:
    """Add PATTERNED to a garment where `pattern` is set.

    Args:
        garment: (256,) uint8, not 0 for the numbers of the garment's parts.
        pattern: twice the canvas in size and centred on the pelvis, bool.
    """
    if pattern is None:
        return
    height, width = canvas.shape
    x = int(np.clip(pattern.shape[1] // 2 - round(pelvis[0]), 0, pattern.shape[1] - width))
    y = int(np.clip(pattern.shape[0] // 2 - round(pelvis[1]), 0, pattern.shape[0] - height))
    canvas[(cv2.LUT(canvas, garment) > 0) & pattern[y : y + height, x : x + width]] += PATTERNED


def number_table(parts: list[Part], value: Callable[[Part], int]) -> np.ndarray:
    """Return `value` of the part of each of a canvas's numbers, patterned or not, (256,) uint8; 0 for none."""
    table = np.zeros(256, dtype=np.uint8)
    table[1 : len(parts) + 1] = table[PATTERNED + 1 : PATTERNED + len(parts) + 1] = [value(part) for part in parts]
    return table


def coverage(canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the share of each frame pixel that the figure covers, (height, width) uint8 from 0 to 255."""
    covered = cv2.threshold(canvas, 0, 255, cv2.THRESH_BINARY)[1]
    return cv2.resize(covered, size[::-1], interpolation=cv2.INTER_AREA)


def painted(canvas: np.ndarray, lookup: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Weight the colours by coverage, (height, width, channels) uint8; `lookup` is (256, 1, channels) uint8."""
    planes = [cv2.LUT(canvas, np.ascontiguousarray(lookup[..., channel])) for channel in range(lookup.shape[-1])]
    small = [cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA) for plane in planes]
    return cv2.merge(small) if len(small) > 1 else small[0][..., None]


def softened(alpha: np.ndarray) -> np.ndarray:
    """Return the coverage blurred by about a fortieth of its height, (height, width) uint8."""
    box = 2 * max(1, round(alpha.shape[0] / 42)) + 1
    return cv2.blur(cv2.blur(alpha, (box, box)), (box, box))
