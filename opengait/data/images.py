"""From the bytes of an image file to red, green and blue planes of one size.

Pillow is the reference. OpenCV decodes ordinary JPEGs to the same pixels in two thirds of the time, since both use
libjpeg-turbo; but it returns half an image for a truncated file. It is therefore used for complete, upright files only;
Pillow decodes all others. `opengait.data.deep_pixels` says how pictures of more than 8 bits become bytes.
"""

import io
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from opengait.data.deep_pixels import to_bytes, values_of
from opengait.utils import regular_files

# The exceptions that Pillow raises for damaged files, depending on format and progress.
DAMAGE = (OSError, Image.DecompressionBombError, *regular_files.DAMAGE)
# The largest picture that is decoded, 64 million pixels, and the largest file that is read.
MOST_PIXELS, MOST_BYTES = 1 << 26, 1 << 30
# A JPEG of a few kilobytes can make a decoder visit its pixels any number of times; real ones need ten such scans.
MOST_SCANS = 100

_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
# Start-of-frame segments of baseline and progressive JPEG; the others are rare, and OpenCV does not support all.
_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_APPLICATION = 0xE1  # holds EXIF
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Levels = Callable[[], tuple[float, float]]


def decode(data: bytes | memoryview, out: np.ndarray, levels: Levels, reduced: bool = False) -> None:
    """Write an image into `out`, resized bilinearly to its size; grey images get three equal planes.

    Args:
        data: the bytes of the image file.
        out: uint8 `[3, h, w]`, contiguous.
        levels: returns the values that become 0 and 255; called for images of more than 8 bits only.
        reduced: let the JPEG decoder skip detail that resizing would remove anyway: faster for an image of at least
            twice `out`'s size in both directions, with slightly different values (`ImageFrames`).

    Raises:
        `DAMAGE`: the image is damaged or too large.
    """
    height, width = out.shape[1:]
    pixels = None if reduced else _decode_with_opencv(data)
    picture: Image.Image | None
    if pixels is None:
        picture = read_picture(data, levels, (width, height) if reduced else None)
        planes = (out[0], out[1], out[2])
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


def read_picture(data: bytes | memoryview, levels: Levels, least: tuple[int, int] | None = None) -> Image.Image:
    """Return an image, upright and in RGB.

    Args:
        data: the bytes of the image file.
        levels: as for `decode`.
        least: (width, height) that suffice: a JPEG is decoded at a fraction of its size that is still as large.

    Raises:
        `DAMAGE`: the image is damaged or too large.
    """
    with open_picture(data) as image:
        values = values_of(image, data)
        if values is None:
            if least is not None:
                image.draft(None, least if orientation_of(image) < 5 else least[::-1])
            picture = image.convert("RGB")
        else:
            picture = Image.fromarray(to_bytes(values, levels())).convert("RGB")
        return turned_upright(picture, image)


def turned_upright(picture: Image.Image, image: Image.Image) -> Image.Image:
    """Turn the pixels of an opened image by its orientation tag."""
    turn = _UPRIGHT.get(orientation_of(image))
    return picture if turn is None else picture.transpose(turn)


def open_picture(data: bytes | memoryview) -> Image.Image:
    """Open an image with Pillow, without decoding it.

    Raises:
        `DAMAGE`: it is not an image, or too large.
    """
    header = jpeg_header(data)
    if header is not None:
        check_size(header.width, header.height)
        text = bytes(data)
        # Pillow notices a missing end, but not where it was overwritten with zeros.
        if text.rfind(_JPEG_END) < header.start:
            raise OSError("image file is truncated (it has no end marker)")
        if text.count(_JPEG_SCAN) > MOST_SCANS:
            raise ValueError(f"it has more than {MOST_SCANS} scans")
    image = Image.open(io.BytesIO(data))
    check_size(*image.size)
    if image.format == "EPS":  # a program, which Pillow would run
        raise ValueError("it is a PostScript file; save it as PNG or JPEG")
    return image


def is_of_size(width: int, height: int) -> bool:
    """Return whether an image is small enough to be decoded."""
    return width * height <= MOST_PIXELS


def check_size(width: int, height: int) -> None:
    """Check that an image is small enough to be decoded.

    Raises:
        ValueError: it is larger.
    """
    if not is_of_size(width, height):
        raise ValueError(f"{width} x {height} pixels are more than the limit of {MOST_PIXELS:,}")


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of an opened image, 1 to 8; 1 if it has none, or one that cannot be read.

    Raises:
        `DAMAGE`: the pixels of a PNG are damaged.
    """
    if image.format == "TIFF":  # turned upright by its decoders
        return 1
    if image.format == "PNG":  # its tags may follow the pixels, whose damage must not be ignored below
        image.load()
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises almost any exception for a damaged EXIF block, which says nothing of the pixels
        return 1
    return value if value in _UPRIGHT else 1


def reason_of(error: Exception) -> str:
    """Return a short reason why an image could not be read."""
    if isinstance(error, UnidentifiedImageError):
        return "it is empty or not an image"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class JpegHeader(NamedTuple):
    """Contents of a JPEG's start-of-frame segment, its offset, and whether a segment that may hold EXIF precedes it."""

    kind: int
    bits: int
    height: int
    width: int
    components: int
    start: int
    exif: bool


def jpeg_header(data: bytes | memoryview) -> JpegHeader | None:
    """Read the start-of-frame segment of a JPEG; None if there is none."""
    if bytes(data[:3]) != _JPEG:
        return None
    at, exif = 2, False
    while at + 10 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + offset : at + offset + 2], "big") for offset in (5, 7))
            return JpegHeader(kind, data[at + 4], height, width, data[at + 9], at, exif)
        else:
            exif = exif or kind == _APPLICATION
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
    if header is None or header.kind not in _BASELINE + (_PROGRESSIVE,):
        return None
    if header.bits != 8 or header.components not in (1, 3) or not is_of_size(header.width, header.height):
        return None
    # Pillow decides about files with many scans and about those that are turned.
    if header.kind == _PROGRESSIVE and bytes(data).count(_JPEG_SCAN) > MOST_SCANS:
        return None
    if header.exif and _is_turned(data):
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None


def _is_turned(data: bytes | memoryview) -> bool:
    try:
        with open_picture(data) as image:
            return orientation_of(image) != 1
    except DAMAGE:
        return True
