"""Frames and ground-truth silhouettes of a synthetic dataset, in memory."""

from pathlib import Path

import numpy as np
from PIL import Image

from pretrained.worlds import training_frames


def load_frames(root: Path, size: tuple[int, int], every: int) -> tuple[np.ndarray, np.ndarray]:
    """Load every `every`-th frame of every training tracklet with its silhouette.

    Args:
        root: dataset written by `vvi synthesize`.
        size: (height, width) to which both are resized.

    Returns:
        RGB frames, uint8 (n, 3, height, width), and silhouettes, bool (n, height, width).
    """
    frames, silhouettes = [], []
    for tracklet, indices, pictures in training_frames(root, size, every):
        frames.append(pictures.numpy())
        silhouettes += [read_silhouette(root, tracklet.frames[index], size) for index in indices]
    return np.concatenate(frames), np.stack(silhouettes)


def read_silhouette(root: Path, frame: Path, size: tuple[int, int]) -> np.ndarray:
    """Read the ground-truth silhouette of a frame, bool (height, width)."""
    path = root / "silhouettes" / frame.relative_to(root.absolute()).with_suffix(".png")
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L").resize(size[::-1], Image.Resampling.BILINEAR)) > 127
