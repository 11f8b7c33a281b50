"""Pictures of more than 8 bits per value: 16-bit grey and colour, 32-bit integers, floats.

Cameras that count in 10 to 16 bits write the counts into 16-bit files, whose range the counts do not fill: 12-bit
data would turn black if the format's range were scaled to 0..255. Values are therefore scaled from those of the
tracklet: linearly, from the `PERCENTILES` of some of its frames to 0 and 255, so that all its frames are scaled alike.
"""

from typing import Any

import cv2
import numpy as np
from PIL import Image

# The percentiles of a tracklet's values that become 0 and 255, and the number of its frames, evenly spaced, and of the
# values of each of them from which they are computed.
PERCENTILES = (0.1, 99.9)
LEVEL_FRAMES, LEVEL_VALUES = 8, 1 << 16
RULE = (
    "8-bit pictures as stored, turned upright by their orientation tag, without transparency; deeper ones scaled "
    f"linearly from the {PERCENTILES[0]}th and {PERCENTILES[1]}th percentile of {LEVEL_FRAMES} frames of the tracklet"
)
_BITS_PER_SAMPLE = 258


def bits_of(image: Image.Image, data: bytes | memoryview) -> int:
    """Return the bits per value of an opened picture: 8 or less, 16, or 32."""
    if image.mode in ("I", "F"):
        return 32
    if image.mode.startswith("I;16"):
        return 16
    # Pillow reads these as 8 bits, dropping the lower ones.
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        bits: Any = image.tag_v2.get(_BITS_PER_SAMPLE, 8)  # type: ignore[attr-defined]
        return max(bits) if isinstance(bits, tuple) else bits
    if image.format == "PPM":
        tile: Any = image.tile[0]  # type: ignore[attr-defined]
        return int(tile[3][-1]).bit_length() if tile[0].startswith("ppm") else 8
    return 8


def values_of(image: Image.Image, data: bytes | memoryview) -> np.ndarray | None:
    """Return the values of a deep picture, `[h, w]` or RGB `[h, w, 3]`; None if it has 8 bits or fewer.

    Raises:
        ValueError: no rule is safe for its values; the message names the mode.
        OSError, SyntaxError: it is damaged.
    """
    bits = bits_of(image, data)
    if bits <= 8:
        return None
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
    else:
        values = _colours(image, data, bits)
    if image.mode == "F" and not np.isfinite(values).all():
        raise ValueError("mode F (32-bit float) holds values that are not finite; replace them in the file")
    if image.mode == "I" and values.min() < 0:
        # Pillow reads unsigned 32-bit values as signed ones.
        raise ValueError("mode I (32-bit integer) holds values below 0 or above 2^31 - 1; save it as 16-bit or float")
    return values


def _colours(image: Image.Image, data: bytes | memoryview, bits: int) -> np.ndarray:
    """Return uint16 `[h, w, 3]`, which Pillow cannot hold."""
    picture = None
    if image.mode in ("RGB", "RGBA", "LA"):
        image.load()  # raises for damaged files, which OpenCV returns in part
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint16 or picture.ndim != 3 or picture.shape[2] < 3:
        raise ValueError(f"mode {image.mode} with {bits} bits per channel is not supported; save it as 16-bit RGB")
    return picture[..., 2::-1]


def to_bytes(values: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
    """Scale values linearly to uint8, from `levels` to 0 and 255; equal levels give 0 up to them and 255 above."""
    low, high = levels
    if values.dtype.itemsize == 2:
        return _scaled(np.arange(1 << 16), low, high)[values.astype(np.uint16, copy=False)]
    return _scaled(values, low, high)


def sampled(values: np.ndarray) -> np.ndarray:
    """Return at most about `LEVEL_VALUES` of a picture's values, evenly spaced."""
    flat = values.reshape(-1, *values.shape[2:])
    return flat[:: 1 + len(flat) // LEVEL_VALUES].ravel()


def levels_of(samples: list[np.ndarray]) -> tuple[float, float]:
    """Return the `PERCENTILES` of sampled values."""
    low, high = np.percentile(np.concatenate(samples).astype(np.float64), PERCENTILES)
    return float(low), float(high)


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if high <= low:
        return np.where(values > low, 255, 0).astype(np.uint8)
    scaled = (values - low) * (255 / (high - low))
    return np.rint(np.clip(scaled, 0, 255, out=scaled), out=scaled).astype(np.uint8)
