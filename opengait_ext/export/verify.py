"""An exported file beside the network that it is of, on random tracklets."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from opengait.errors import OutputError
from opengait.utils.text import first_line
from opengait_ext.data import Modality
from opengait_ext.export.files import Runner
from opengait_ext.search.arrays import clips_of
from opengait_ext.search.describer import Describer

# The largest deviation of a descriptor, as a share of its norm.
TOLERANCE = 1e-4
# Random tracklets consist of blocks of this many pixels, blurred into each other.
BLOCK = 16


def verification_sizes(tracklets: int | None, frames: int | None, usual: int) -> list[tuple[int, int]]:
    """Return the numbers of tracklets and frames to verify a file with.

    Args:
        tracklets, frames: the numbers that the file takes; None for any.
        usual: the number of frames of the test; 0 if that depends on the tracklet.
    """
    counts = [tracklets] if tracklets else [2, 1, 3]
    lengths = [frames] if frames else [usual or 4, 1, 5]
    longest = max(len(counts), len(lengths), 2)
    return [(counts[k % len(counts)], lengths[k % len(lengths)]) for k in range(longest)]


def random_tracklets(count: int, frames: int, size: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return frames uint8 (n, s, 3, h, w), smooth random colours with noise, and alternating modalities int64 (n)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count * frames, *(max(1, side // BLOCK) for side in size), 3), dtype=np.uint8)
    pictures = np.stack([cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR) for picture in coarse])
    noisy = np.clip(pictures + rng.integers(-8, 9, pictures.shape), 0, 255).astype(np.uint8)
    shaped = noisy.reshape(count, frames, *size, 3).transpose(0, 1, 4, 2, 3)
    return np.ascontiguousarray(shaped), np.arange(count, dtype=np.int64) % 2


def largest_deviation(
    run: Runner, describer: Describer, size: tuple[int, int], sizes: Sequence[tuple[int, int]]
) -> float:
    """Return the largest distance between a file's and the describer's descriptors, as a share of the latter's norm.

    Args:
        run: runs the file.
        describer: the network, as all commands use it.
        size: (height, width) of the frames.
        sizes: numbers of tracklets and frames.

    Raises:
        OutputError: the file does not run.
    """
    return max(deviation for deviations in _deviations(run, describer, size, sizes) for deviation in deviations)


def _deviations(
    run: Runner, describer: Describer, size: tuple[int, int], sizes: Sequence[tuple[int, int]]
) -> Iterator[list[float]]:
    for seed, (count, frames) in enumerate(sizes):
        pictures, modality = random_tracklets(count, frames, size, seed)
        names = [list(Modality)[number].value for number in modality]
        clips = clips_of(list(pictures.transpose(0, 1, 3, 4, 2)), describer.kind, names, "rgb")
        expected = describer.describe(clips, frames).embeddings
        try:
            described = run(pictures, modality)
        # Runtimes have errors of their own.
        except Exception as error:
            raise OutputError(
                f"The exported file does not run on {count} tracklets of {frames} frames: {first_line(error)}"
            ) from error
        if described.shape != expected.shape:
            raise OutputError(
                f"The exported file describes {count} tracklets of {frames} frames by {described.shape}, expected "
                f"{expected.shape}."
            )
        yield deviations(described, expected)


def deviations(described: np.ndarray, expected: np.ndarray) -> list[float]:
    """Return the distance of each descriptor (n, c, p) from the expected one, as a share of the latter's norm.

    A descriptor with NaN deviates infinitely.
    """
    differences = np.linalg.norm((described.astype(np.float64) - expected).reshape(len(expected), -1), axis=1)
    norms = np.linalg.norm(expected.astype(np.float64).reshape(len(expected), -1), axis=1)
    shares = differences / np.maximum(norms, np.finfo(np.float64).tiny)
    return [float(share) if np.isfinite(share) else float("inf") for share in shares]
