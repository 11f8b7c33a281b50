"""Reading and writing of PNG files and animations."""

from pathlib import Path
from typing import Any, BinaryIO

import imageio.v3 as imageio
import numpy as np
from PIL import Image

from opengait.data.deep_pixels import bits_of
from opengait.data.images import DAMAGE, MOST_BYTES, open_picture, reason_of, turned_upright
from opengait.errors import DataError
from opengait.utils.regular_files import read_file

GIF_MILLISECONDS = 120
GIF_PALETTE_STEP = 8  # only every eighth row of pixels is used to choose the 256 colours of an animation


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write uint8 (h, w) or (h, w, 3) as a PNG file."""
    imageio.imwrite(path, picture, plugin="pillow", extension=".png")


def write_gif(path: Path | BinaryIO, pictures: np.ndarray) -> None:
    """Write uint8 (frames, h, w, 3) as an animated GIF that loops forever, into a file or a buffer."""
    # One palette for all frames: a palette per frame would take most of an export's time and make colours flicker.
    rows = pictures[:, ::GIF_PALETTE_STEP]
    palette = Image.fromarray(np.ascontiguousarray(rows.reshape(-1, *rows.shape[2:]))).quantize(256)
    indices = [np.asarray(Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE)) for p in pictures]
    colours = bytes(palette.getpalette() or ()).ljust(3 * 256, b"\0")
    options: dict[str, Any] = {"palette": colours, "duration": GIF_MILLISECONDS, "loop": 0}
    imageio.imwrite(path, np.stack(indices), plugin="pillow", extension=".gif", **options)


def read_grey(path: Path) -> np.ndarray:
    """Read a picture as uint8 (h, w).

    Raises:
        DataError: it is missing or damaged.
    """
    return _read(path, "L")


def read_colour(path: Path) -> np.ndarray:
    """Read a picture as uint8 (h, w, 3).

    Raises:
        DataError: it is missing or damaged.
    """
    return _read(path, "RGB")


def _read(path: Path, mode: str) -> np.ndarray:
    try:
        data = read_file(path, MOST_BYTES)
        with open_picture(data) as image:
            if bits_of(image, data) > 8:
                raise ValueError(f"expected 8 bits per value, got mode {image.mode} with {bits_of(image, data)}")
            return np.asarray(turned_upright(image.convert(mode), image))
    except DAMAGE as error:
        raise DataError(f"Cannot read the picture {path}: {reason_of(error)}.") from error
