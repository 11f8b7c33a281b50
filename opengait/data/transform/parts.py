"""Random changes of a horizontal strip of a silhouette: dilation, or a blurred outline."""

import random
from collections.abc import Callable

import cv2
import numpy as np

from opengait.utils.typed import Share

_WIDE = ((5, 3), (5, 5), (3, 5))
_NARROW = ((3, 3), (3, 5), (5, 3))
# Structuring elements and their (width, height) choices, in OpenGait's order.
_ELEMENTS = ((cv2.MORPH_RECT, _WIDE), (cv2.MORPH_CROSS, _NARROW), (cv2.MORPH_ELLIPSE, _NARROW))


class RandomPartDilate:
    """Dilate the rows between two random heights, with probability `prob`.

    `top_range` and `bot_range` bound the first row and the row after the last, both ends included.
    """

    def __init__(
        self, prob: Share = 0.5, top_range: tuple[int, int] = (12, 16), bot_range: tuple[int, int] = (36, 40)
    ) -> None:
        self.prob = prob
        self.top_range = top_range
        self.bot_range = bot_range

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to the same; the argument is not changed."""
        if random.uniform(0, 1) >= self.prob:
            return frames
        shape, sizes = random.choice(_ELEMENTS)
        element = cv2.getStructuringElement(shape, random.choice(sizes))
        rows = slice(random.randint(*self.top_range), random.randint(*self.bot_range))
        return _change_rows(frames, rows, lambda strip: cv2.dilate(strip, element))


class RandomPartBlur:
    """Blur the rows between two random heights and threshold the result at 0.2, with probability `prob`.

    For silhouettes in 0..1. With `per_frame` each frame has its own draws.
    """

    def __init__(
        self,
        prob: Share = 0.5,
        top_range: tuple[int, int] = (9, 20),
        bot_range: tuple[int, int] = (29, 40),
        per_frame: bool = False,
    ) -> None:
        self.prob = prob
        self.top_range = top_range
        self.bot_range = bot_range
        self.per_frame = per_frame

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to the same; the argument is not changed."""
        if self.per_frame:
            return np.concatenate([self._blur(frames[i : i + 1]) for i in range(len(frames))])
        return self._blur(frames)

    def _blur(self, frames: np.ndarray) -> np.ndarray:
        if random.uniform(0, 1) >= self.prob:
            return frames
        rows = slice(random.randint(*self.top_range), random.randint(*self.bot_range))
        # A size of 3 and sigma 0 give OpenCV's fixed kernel (1/4, 1/2, 1/4).
        return _change_rows(frames, rows, lambda strip: cv2.GaussianBlur(strip, (3, 3), 0) > 0.2)


def _change_rows(frames: np.ndarray, rows: slice, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    frames = frames.copy()
    planes = frames.reshape(-1, *frames.shape[-2:])
    for plane in planes:
        strip = np.ascontiguousarray(plane[rows])
        if strip.size:
            plane[rows] = change(strip)
    return planes.reshape(frames.shape)
