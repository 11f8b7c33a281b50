"""Scaling, cutting, normalising, flipping and erasing."""

import random
from collections.abc import Sequence

import einops
import numpy as np

from opengait.data.silhouettes import problems_of_frames
from opengait.errors import DataError
from opengait.utils.typed import Share


class NoOperation:
    """Return the frames unchanged."""

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        return frames


class BaseSilTransform:
    """Divide by `divsor`; frames are reshaped to `img_shape` first when it is given."""

    def __init__(self, divsor: float = 255.0, img_shape: Sequence[int] | None = None) -> None:
        self.divsor = divsor
        self.img_shape = img_shape

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ...]` to `[s, *img_shape]`, float64 for integer input."""
        if self.img_shape is not None:
            frames = frames.reshape(len(frames), *self.img_shape)
        return _divide(frames, self.divsor)


class BaseSilCuttingTransform:
    """Cut `cutting` columns from each side and divide by `divsor`.

    `cutting` defaults to 10 per 64 columns of width, so that 64 becomes 44 and 128 becomes 88.
    """

    def __init__(self, divsor: float = 255.0, cutting: int | None = None) -> None:
        self.divsor = divsor
        self.cutting = cutting

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to `[s, ..., h, w - 2 cutting]`, float64 for integer input."""
        return _cut(_divide(frames, self.divsor), self.cutting)


class BaseParsingCuttingTransform:
    """`BaseSilCuttingTransform` for body-part maps: only frames whose maximum is 255 are divided by `divsor`."""

    def __init__(self, divsor: float = 255.0, cutting: int | None = None) -> None:
        self.divsor = divsor
        self.cutting = cutting

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to `[s, ..., h, w - 2 cutting]`, float64 for integer input."""
        frames = _cut(frames, self.cutting)
        return frames / (self.divsor if frames.max() == 255 else 1.0)


class BaseRgbTransform:
    """Subtract `mean` and divide by `std`, both in 0..255; ImageNet's by default."""

    def __init__(self, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> None:
        mean = [0.485 * 255, 0.456 * 255, 0.406 * 255] if mean is None else mean
        std = [0.229 * 255, 0.224 * 255, 0.225 * 255] if std is None else std
        self.mean = np.array(mean, dtype=np.float64).reshape(1, -1, 1, 1)
        self.std = np.array(std, dtype=np.float64).reshape(1, -1, 1, 1)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, c, h, w]`, float64.

        Raises:
            DataError: the frames have no axis of these colours; silhouettes have none.
        """
        if frames.ndim != 4 or frames.shape[1] != self.mean.size:
            raise DataError(
                f"BaseRgbTransform: expected frames [s, {self.mean.size}, h, w], got {list(frames.shape)}; silhouettes "
                f"take BaseSilCuttingTransform."
            )
        return (frames - self.mean) / self.std


class RatioHW:
    """Return width over height of `[s, 2]` (height, width)."""

    def __call__(self, sizes: np.ndarray) -> np.ndarray:
        return sizes[:, 1] / sizes[:, 0]


class Rearrange:
    """einops.rearrange from `source` to `destination`, such as "t h w c" to "t c h w".

    Raises:
        DataError: the frames have other axes.
    """

    def __init__(self, source: str, destination: str) -> None:
        self.pattern = f"{source} -> {destination}"

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        try:
            return einops.rearrange(frames, self.pattern)
        except einops.EinopsError as error:
            raise DataError(
                f"Rearrange from {self.pattern!r} does not fit frames {list(frames.shape)}; check the order of "
                f"`transform` against that of the tracklet's files."
            ) from error


class RandomHorizontalFlip:
    """Mirror the last axis of the whole tracklet with probability `prob`."""

    def __init__(self, prob: Share = 0.5) -> None:
        self.prob = prob

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        return frames[..., ::-1] if random.uniform(0, 1) < self.prob else frames


class RandomErasing:
    """Set a random box to 0 with probability `prob`: the same box in all frames, or one per frame with `per_frame`.

    The box covers a share U(sl, sh) of the area, with a ratio of height to width U(r1, 1 / r1). If none of 100 draws
    fits, nothing is erased.
    """

    def __init__(
        self, prob: Share = 0.5, sl: float = 0.05, sh: float = 0.2, r1: float = 0.3, per_frame: bool = False
    ) -> None:
        self.prob = prob
        self.sl = sl
        self.sh = sh
        self.r1 = r1
        self.per_frame = per_frame

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """`[s, ..., h, w]` to the same; the argument is not changed."""
        if self.per_frame:
            return np.stack([self._erase(frame) for frame in frames])
        return self._erase(frames)

    def _erase(self, frames: np.ndarray) -> np.ndarray:
        if random.uniform(0, 1) >= self.prob:
            return frames
        height, width = frames.shape[-2:]
        for _ in range(100):
            area = random.uniform(self.sl, self.sh) * height * width
            aspect = random.uniform(self.r1, 1 / self.r1)
            h = int(round((area * aspect) ** 0.5))
            w = int(round((area / aspect) ** 0.5))
            if w < width and h < height:
                y = random.randint(0, height - h)
                x = random.randint(0, width - w)
                frames = frames.copy()
                frames[..., y : y + h, x : x + w] = 0
                break
        return frames


def _divide(frames: np.ndarray, divisor: float) -> np.ndarray:
    """Return the frames from 0 to 1.

    Raises:
        DataError: they are of another scale, or their channels are in the last axis.
    """
    for _, what in problems_of_frames(frames, divisor):
        raise DataError(f"Silhouettes have {what}." if what.startswith("values") else f"Silhouettes: {what}.")
    return frames / divisor


def _cut(frames: np.ndarray, cutting: int | None) -> np.ndarray:
    width = frames.shape[-1]
    cutting = int(width // 64) * 10 if cutting is None else cutting
    return frames[..., cutting : width - cutting]
