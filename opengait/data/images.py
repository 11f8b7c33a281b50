"""From the bytes of an image file to red, green and blue planes of one size.

Pillow is the reference. OpenCV decodes ordinary JPEGs to the same pixels in two thirds of the time, since both use
libjpeg-turbo; but it returns half an image for a truncated file, and rotates images by their EXIF entry. It is
therefore used for complete files only, without rotation; Pillow decodes all others.
"""

import io
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

# The exceptions that Pillow raises for damaged files, depending on format and progress.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
# Start-of-frame segments of baseline and progressive JPEG; the others are rare, and OpenCV does not support all.
_FRAME_SEGMENTS = (0xC0, 0xC1, 0xC2)


def decode(data: bytes | memoryview, out: np.ndarray, file: Path | None = None, reduced: bool = False) -> None:
    """Write an image into `out`, resized bilinearly to its size; grey images get three equal planes.

    Args:
        data: the bytes of the image file.
        out: uint8 `[3, h, w]`, contiguous.
        file: the file of the bytes, if they are a whole file.
        reduced: let the JPEG decoder skip detail that resizing would remove anyway: faster for an image of at least
            twice `out`'s size in both directions, with slightly different values (`ImageFrames`).

    Raises:
        OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError: the image is damaged.
    """
    height, width = out.shape[1:]
    pixels = None if reduced else _decode_with_opencv(data)
    picture: Image.Image | None
    if pixels is None:
        with Image.open(io.BytesIO(data) if file is None else file) as image:
            if reduced:
                image.draft(None, (width, height))
            picture = image.convert("RGB")
        pixels, planes = None, (out[0], out[1], out[2])
    else:
        # OpenCV's order is blue, green, red, which resizing keeps.
        picture = Image.fromarray(pixels) if pixels.shape[:2] != (height, width) else None
        planes = (out[2], out[1], out[0])
    if picture is not None:
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(picture)
    assert pixels is not None
    # cv2.split writes into the planes; numpy's transposed copy takes five times as long.
    cv2.split(pixels, planes)


def reason_of(error: Exception) -> str:
    """Return a short reason why an image could not be read."""
    if isinstance(error, UnidentifiedImageError):
        return "it is empty or not an image"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class JpegHeader(NamedTuple):
    """Contents of a JPEG's start-of-frame segment: kind, bits per sample, size in pixels, number of components."""

    kind: int
    bits: int
    height: int
    width: int
    components: int


def jpeg_header(data: bytes | memoryview) -> JpegHeader | None:
    """Read the start-of-frame segment of a JPEG; None if there is none."""
    if bytes(data[:3]) != _JPEG:
        return None
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + offset : at + offset + 2], "big") for offset in (5, 7))
            return JpegHeader(kind, data[at + 4], height, width, data[at + 9])
        else:
            at += 2 + length
    return None


def has_end_marker(data: bytes | memoryview) -> bool:
    """Return whether a JPEG ends with its end marker, which a truncated file lacks."""
    return bytes(data[-2:]) == _JPEG_END


def _decode_with_opencv(data: bytes | memoryview) -> np.ndarray | None:
    """Return uint8 `[h, w, 3]` in the order blue, green, red; None if Pillow must decode the image."""
    if not has_end_marker(data):
        return None
    header = jpeg_header(data)
    if header is None or header.kind not in _FRAME_SEGMENTS or header.bits != 8 or header.components not in (1, 3):
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
