"""Whether arrays have the scale and the axes that OpenGait's transforms of silhouettes take for granted."""

from collections.abc import Iterator

import numpy as np

SCALE, AXES = "values of another scale", "channels in the last axis"


def problems_of_frames(frames: np.ndarray, divisor: float = 255.0) -> Iterator[tuple[str, str]]:
    """Yield the kind and the details of each problem of frames `[s, ..., h, w]` that are divided by `divisor`.

    Looks for the largest value of the frames, which takes microseconds.
    """
    peak = frames.max() if frames.size else 0
    if divisor > 1 and 0 < peak <= 1:
        yield (
            SCALE,
            (
                f"values of 0 to 1, but 0 to {divisor:g} is meant: dividing by {divisor:g} leaves almost 0; write "
                f"0 and 255, or set `divsor: 1` in the transform"
            ),
        )
    elif divisor == 1 and peak > 1:
        yield SCALE, f"values of up to {peak:g} where `divsor: 1` means 0 to 1; remove it from the transform"
    if frames.ndim > 3 and frames.shape[-1] in (1, 3) and min(frames.shape[-3:-1]) > 3:
        yield AXES, f"expected [frames, height, width] or [frames, channels, height, width], got {list(frames.shape)}"
