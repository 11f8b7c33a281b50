"""Small pictures of tracklets, kept with their descriptors."""

import io

import numpy as np
from PIL import Image

# Largest height and width.
SIZE = (128, 128)
_QUALITY = 85


def thumbnail_of(picture: Image.Image | np.ndarray) -> bytes:
    """Return a picture, as an array RGB uint8 (h, w, 3), as a JPEG of at most `SIZE` with the same proportions."""
    image = picture.copy() if isinstance(picture, Image.Image) else Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail(SIZE[::-1], Image.Resampling.BOX, reducing_gap=None)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()
