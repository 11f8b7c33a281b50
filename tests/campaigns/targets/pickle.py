"""Pickled frames, as OpenGait's layout holds them."""

import pickle
from pathlib import Path

import numpy as np

from opengait.data.frames import PickledFrames

FRAMES = np.arange(4 * 6 * 5, dtype=np.uint8).reshape(4, 6, 5)
VALUES = {
    "array": FRAMES,
    "floats": FRAMES.astype(np.float32) / 255,
    "fortran": np.asfortranarray(FRAMES),
    "list": list(FRAMES),
    "clouds": [FRAMES[:1, :n, :3].astype(np.float64) for n in (1, 2, 3)],
    "mixed": {"a": (1, 2.5, "text", b"bytes", None, True), "b": [{1, 2}, frozenset({3}), np.float32(2.0), 2**70]},
}


def samples(folder: Path) -> list[Path]:
    """Write arrays and lists in every protocol that numpy and Python have written."""
    paths = []
    for name, value in VALUES.items():
        for protocol in (0, 2, 4, 5):
            paths.append(folder / f"{name}-{protocol}.pkl")
            paths[-1].write_bytes(pickle.dumps(value, protocol=protocol))
    return paths


def read(path: Path) -> None:
    """Load the file and pick two frames."""
    from opengait.data.safe_pickle import load_pickle

    if "mixed" in path.name:
        load_pickle(path)
        return
    frames = PickledFrames(path)
    if len(frames):
        frames[[0, len(frames) - 1]]
