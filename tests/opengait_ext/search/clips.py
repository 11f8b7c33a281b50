"""Videos that tests draw: eight black or white bands tell the number of a frame."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 64)


def numbered(number: int) -> np.ndarray:
    """Return a frame, uint8 (h, w, 3), whose bands are the bits of its number."""
    bits = (number >> np.arange(8)) & 1
    return np.broadcast_to(np.repeat(bits * 255, SIZE[1] // 8).astype(np.uint8)[None, :, None], (*SIZE, 3)).copy()


def number_of(frame: np.ndarray) -> int:
    """Return the number of a frame (h, w, 3) of `numbered`."""
    bands = frame.mean(axis=(0, 2)).reshape(8, -1).mean(axis=1)
    return int(((bands > 127) << np.arange(8)).sum())


def write_clip(
    path: Path,
    times: Sequence[float],
    codec: str = "mpeg4",
    pictures: Sequence[np.ndarray] | None = None,
    **options: str,
) -> Path:
    """Write a video with one frame per time, in seconds.

    Args:
        pictures: RGB frames, or grey ones of 16 bits; by default those of `numbered`.
        options: options of the encoder.
    """
    if pictures is None:
        pictures = list(map(numbered, range(len(times))))
    deep = pictures[0].ndim == 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "gray16le" if deep else "yuv420p"
        # AVI has no times but a rate.
        unit = Fraction(1, 25 if path.suffix == ".avi" else 1000)
        stream.time_base = stream.codec_context.time_base = unit
        for time, picture in zip(times, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="gray16le" if deep else "rgb24")
            frame.pts, frame.time_base = round(time / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
