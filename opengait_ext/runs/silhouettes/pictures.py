"""Pictures of one frame: overlay and the four panels; and reading and writing them."""

from pathlib import Path
from typing import BinaryIO

import imageio.v3 as imageio
import numpy as np
from PIL import Image

from opengait.errors import DataError

TINT = np.array([255, 40, 40], dtype=np.float32)
STRENGTH = 0.5
PANELS = ("frame", "mask", "overlay", "enriched")
GIF_MILLISECONDS = 120
GIF_PALETTE_STEP = 8  # every eighth row of pixels decides which 256 colours an animation has


def overlay(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The frame, mixed with `TINT` by `STRENGTH` times the mask.

    Args:
        frame: uint8 (..., h, w, 3).
        mask: uint8 (..., h, w), 255 for certain foreground.

    Returns:
        uint8, as the frame.
    """
    share = STRENGTH / 255 * mask[..., None].astype(np.float32)
    return np.rint(frame * (1 - share) + TINT * share).astype(np.uint8)


def panels(frame: np.ndarray, mask: np.ndarray, enriched: np.ndarray) -> list[np.ndarray]:
    """`PANELS` as uint8 (..., h, w, 3), of the frame's size.

    Args:
        frame: uint8 (..., h, w, 3).
        mask: uint8 (..., h, w).
        enriched: uint8 (..., h, w, 3).
    """
    return [frame, grey_to_colour(mask), overlay(frame, mask), enriched]


def grey_to_colour(picture: np.ndarray) -> np.ndarray:
    """Grey (..., h, w) as (..., h, w, 3)."""
    return np.broadcast_to(picture[..., None], (*picture.shape, 3))


def write_png(path: Path, picture: np.ndarray) -> None:
    """uint8 (h, w) or (h, w, 3) as a PNG file."""
    imageio.imwrite(path, picture, plugin="pillow", extension=".png")


def write_gif(path: Path | BinaryIO, pictures: np.ndarray) -> None:
    """uint8 (frames, h, w, 3) as an animated GIF that repeats for ever, in a file or a buffer."""
    # One palette for all frames: finding one for each takes most of an export's time and makes colours flicker.
    rows = pictures[:, ::GIF_PALETTE_STEP]
    palette = Image.fromarray(np.ascontiguousarray(rows.reshape(-1, *rows.shape[2:]))).quantize(256)
    indices = [np.asarray(Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE)) for p in pictures]
    colours = bytes(palette.getpalette()).ljust(3 * 256, b"\0")
    options = {"palette": colours, "duration": GIF_MILLISECONDS, "loop": 0}
    imageio.imwrite(path, np.stack(indices), plugin="pillow", extension=".gif", **options)


def read_grey(path: Path) -> np.ndarray:
    """A picture as uint8 (h, w).

    Raises:
        DataError: it is missing or damaged.
    """
    return _read(path, "L")


def read_colour(path: Path) -> np.ndarray:
    """A picture as uint8 (h, w, 3).

    Raises:
        DataError: it is missing or damaged.
    """
    return _read(path, "RGB")


def _read(path: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert(mode))
    except (OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"Cannot read the picture {path}: {reason}.") from error
