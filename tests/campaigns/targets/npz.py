"""Descriptors and other arrays in .npz files."""

from pathlib import Path

import numpy as np

from opengait.utils.files import read_arrays


def samples(folder: Path) -> list[Path]:
    """Write arrays of numbers and text, compressed and not."""
    arrays = {
        "embeddings": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "names": np.array(["one", "two"]),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "none": np.zeros((0, 3)),
        "one": np.float64(2.5),
    }
    np.savez(folder / "plain.npz", **arrays)
    np.savez_compressed(folder / "compressed.npz", **arrays)
    return [folder / "plain.npz", folder / "compressed.npz"]


def read(path: Path) -> None:
    """Read all arrays."""
    read_arrays(path, ["embeddings"], "vvi embed")
