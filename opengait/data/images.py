"""From the bytes of an image file to red, green and blue planes of one size.

Pillow defines what a frame looks like. OpenCV decodes ordinary JPEGs to the same pixels, since both bring
libjpeg-turbo, in two thirds of the time; but it hands out half a picture where a file is cut short, and turns pictures
by their EXIF entry. So it is given whole files only and told not to turn them, and Pillow decides about all others.
"""

import io
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

# What Pillow reports damage as, depending on the format and on how far it got.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
# Start-of-frame segments of baseline and progressive JPEG; the others are rare, and some are not OpenCV's.
_FRAME_SEGMENTS = (0xC0, 0xC1, 0xC2)


def decode(data: bytes | memoryview, out: np.ndarray, file: Path | None = None, reduced: bool = False) -> None:
    """Write an image into `out`, resized bilinearly to its size; grey images get three equal planes.

    Args:
        data: the bytes of the image file.
        out: uint8 `[3, h, w]`, contiguous.
        file: where the bytes come from, if they are a file of their own.
        reduced: let the JPEG decoder leave out detail that the resizing would remove anyway: faster where an image is
            at least twice `out`'s size in both directions, with other values (`ImageFrames`).

    Raises:
        OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError: the image is damaged.
    """
    height, width = out.shape[1:]
    pixels = None if reduced else _decode_with_opencv(data)
    if pixels is None:
        with Image.open(io.BytesIO(data) if file is None else file) as image:
            if reduced:
                image.draft(None, (width, height))
            picture = image.convert("RGB")
        pixels, planes = None, (out[0], out[1], out[2])
    else:
        # OpenCV's order is blue, green, red; resizing does not mind.
        picture = Image.fromarray(pixels) if pixels.shape[:2] != (height, width) else None
        planes = (out[2], out[1], out[0])
    if picture is not None:
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(picture)
    # Writes into the planes; numpy's transposed copy takes five times as long.
    cv2.split(pixels, planes)


def reason_of(error: Exception) -> str:
    """Why an image could not be read, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "it is empty or no image"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class JpegHeader(NamedTuple):
    """What a JPEG's start-of-frame segment says: its kind, bits a sample, size in pixels and number of components."""

    kind: int
    bits: int
    height: int
    width: int
    components: int


def jpeg_header(data: bytes | memoryview) -> JpegHeader | None:
    """Read the start-of-frame segment; None where there is none."""
    if bytes(data[:3]) != _JPEG:
        return None
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if kind == 0xFF:  # a byte that fills up
            place += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7))
            return JpegHeader(kind, data[place + 4], height, width, data[place + 9])
        else:
            place += 2 + length
    return None


def ends_whole(data: bytes | memoryview) -> bool:
    """Whether a JPEG's bytes end with its end marker; those of a file cut short do not."""
    return bytes(data[-2:]) == _JPEG_END


def _decode_with_opencv(data: bytes | memoryview) -> np.ndarray | None:
    """Blue, green, red, uint8 `[h, w, 3]`; None for what Pillow has to look at."""
    if not ends_whole(data):
        return None
    header = jpeg_header(data)
    if header is None or header.kind not in _FRAME_SEGMENTS or header.bits != 8 or header.components not in (1, 3):
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
