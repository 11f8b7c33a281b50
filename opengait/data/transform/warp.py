"""Random geometric warps, the same for every frame and channel of a tracklet.

Height and width are swapped in `RandomRotate`'s centre and in `RandomAffine`'s points, as in OpenGait. This makes no
difference for square frames, the intended input; for other sizes it reproduces OpenGait's images.
"""

import random
from collections.abc import Callable

import cv2
import numpy as np

from opengait.utils.typed import Share

_WARPABLE = (np.uint8, np.int16, np.uint16, np.float32, np.float64)


class RandomRotate:
    """Rotate by an angle U(-degree, degree) in degrees, with probability `prob`."""

    def __init__(self, prob: Share = 0.5, degree: float = 10) -> None:
        self.prob = prob
        self.degree = degree

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to the same shape and type; the border is filled with 0."""
        if random.uniform(0, 1) >= self.prob:
            return frames
        height, width = frames.shape[-2:]
        angle = random.uniform(-self.degree, self.degree)
        matrix = cv2.getRotationMatrix2D((height // 2, width // 2), angle, 1)
        return _each_plane(frames, lambda plane: cv2.warpAffine(plane, matrix, (width, height)))


class RandomPerspective:
    """Pull the four corners inwards along the top and bottom edge, with probability `prob`.

    Each corner moves by less than 10 columns per 44 of width; frames narrower than 44 columns are unchanged.
    """

    def __init__(self, prob: Share = 0.5) -> None:
        self.prob = prob

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to the same shape and type."""
        if random.uniform(0, 1) >= self.prob:
            return frames
        height, width = frames.shape[-2:]
        reach = int(width // 44) * 10
        if reach == 0:
            return frames
        top_left = random.choice(range(reach))
        top_right = random.choice(range(width - reach, width))
        bottom_left = random.choice(range(reach))
        bottom_right = random.choice(range(width - reach, width))
        corners = [[top_left, 0], [top_right, 0], [bottom_right, height], [bottom_left, height]]
        source = np.array(corners, np.float32)
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        matrix = cv2.getPerspectiveTransform(source, target)
        return _each_plane(frames, lambda plane: cv2.warpPerspective(plane, matrix, (width, height)))


class RandomAffine:
    """Map three random points near three corners onto three others, with probability `prob`.

    Points lie within 10 pixels of their corner per 64 of height; frames below 64 rows are unchanged. `degree` is
    ignored, as in OpenGait.
    """

    def __init__(self, prob: Share = 0.5, degree: float = 10) -> None:
        self.prob = prob
        self.degree = degree

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to the same shape and type."""
        if random.uniform(0, 1) >= self.prob:
            return frames
        height, width = frames.shape[-2:]
        reach = int(height // 64 * 10)
        if reach == 0:
            return frames
        source, target = (_three_points(height, width, reach) for _ in range(2))
        matrix = cv2.getAffineTransform(source, target)
        return _each_plane(frames, lambda plane: cv2.warpAffine(plane, matrix, (width, height)))


def _three_points(height: int, width: int, reach: int) -> np.ndarray:
    a, b, c, d, e, f = (random.choice(range(reach)) for _ in range(6))
    return np.array([[a, b], [height - c, d], [e, width - f]], np.float32)


def _each_plane(frames: np.ndarray, warp: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Warp every `[h, w]` plane; types that OpenCV cannot warp are warped as float64 and rounded."""
    planes = frames.reshape(-1, *frames.shape[-2:])
    warpable = frames.dtype in _WARPABLE
    if not warpable:
        planes = planes.astype(np.float64)
    warped = np.stack([warp(np.ascontiguousarray(plane)) for plane in planes]).reshape(frames.shape)
    return warped if warpable else np.rint(warped).astype(frames.dtype)
