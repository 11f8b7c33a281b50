"""Videos that tests draw: numbered frames, whose eight black or white bands are the number, and a street."""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_ext.data.synthetic_vvi import SyntheticConfig
from opengait_ext.data.synthetic_vvi.settings import VISIBLE
from opengait_ext.data.synthetic_vvi.tracklet import Drawn, TrackletKey, render

av = pytest.importorskip("av")

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


@cache
def walks(people: int, frames: int) -> list[list[Drawn]]:
    """Return walks of people of the synthetic generator, seen from the side."""
    config = SyntheticConfig(
        train_identities=people, frames=frames * 2, size=(96, 48), view_spread=0, turning=0, crowd=0, occlusion=0
    )
    keys = [TrackletKey(pid, VISIBLE, 1, 1) for pid in range(1, people + 1)]
    return [list(itertools.islice(render(config, key), frames)) for key in keys]


def write_street(path: Path, people: int = 3, frames: int = 50) -> dict[int, np.ndarray]:
    """Write a video of people who cross a still street, one above the other, and return their true boxes.

    Returns:
        Per person, int (frames, 5): frame from 0, left, top, width, height.
    """
    rng = np.random.default_rng(0)
    height, width = 96 * people + 8, 320
    street = cv2.resize(rng.integers(60, 200, (height // 8, width // 8, 3), dtype=np.uint8), (width, height))
    pictures = [street.copy() for _ in range(frames)]
    truth = {}
    for person, drawn in enumerate(walks(people, frames)):
        rows = []
        for number, (picture, step) in enumerate(zip(pictures, drawn, strict=True)):
            left, top = 10 + 5 * number, 4 + 96 * person
            left = left if person % 2 == 0 else width - 48 - left
            mask = step.silhouette > 0
            picture[top : top + 96, left : left + 48][mask] = step.frame[:, :, ::-1][mask]
            y, x = np.nonzero(mask)
            rows.append((number, left + x.min(), top + y.min(), np.ptp(x) + 1, np.ptp(y) + 1))
        truth[person] = np.array(rows)
    write_clip(path, np.arange(frames) / 10, pictures=pictures, b="4000000")
    return truth
