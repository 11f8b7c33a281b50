"""Overlap of learned silhouettes with ground truth."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from opengait.errors import DataError
from opengait.evaluation.overlap import mean_iou
from opengait.utils.files import write_json
from opengait.utils.threads import in_threads
from opengait_ext.data import Modality
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.runs.silhouettes.export import MASKS
from opengait_ext.runs.silhouettes.image_files import read_grey

RESULT = "iou.json"


def intersection_over_union(mask: np.ndarray, truth: np.ndarray) -> float:
    """Return the intersection over union of two masks; 1 if both are empty.

    Args:
        mask, truth: masks of the same shape: bool, uint8 with foreground from 128, or float with foreground from 0.5.

    Raises:
        ValueError: the shapes differ.
    """
    if mask.shape != truth.shape:
        raise ValueError(f"expected masks of the same shape, got {mask.shape} and {truth.shape}")
    mask, truth = foreground(mask), foreground(truth)
    if not (mask.any() or truth.any()):
        return 1.0
    return float(mean_iou(torch.from_numpy(mask).double()[None], torch.from_numpy(truth).double()[None]))


def foreground(picture: np.ndarray) -> np.ndarray:
    """Return the pixels of at least half of the value range, bool."""
    if picture.dtype == np.bool_:
        return picture
    return picture >= (128 if picture.dtype == np.uint8 else 0.5)


def compare_with_truth(
    out: str | Path, tracklets: Sequence[ChosenTracklet], truth: str | Path, progress: bool = True
) -> dict[str, Any]:
    """Compute the mean intersection over union of exported masks with true silhouettes, in the size of the latter.

    Args:
        out: a folder written by `export_silhouettes`; the result is also written there as `iou.json`.
        tracklets: the tracklets to compare.
        truth: true silhouettes, `[silhouettes/][Train/|Test/]<person>/<ir|rgb>/D<camera>/<frame>.png`.
        progress: show a progress bar.

    Returns:
        `visible` and `infrared` (None without such frames), `silhouette_iou` over all frames, and `frames`, their
        number.

    Raises:
        DataError: a frame has no true silhouette, or a file cannot be read.
    """
    out, truth = Path(out), truth_folder(truth)
    overlaps: dict[str, list[float]] = {}
    compared = in_threads(lambda one: list(overlaps_of(out, one, truth)), tracklets)
    bar = tqdm(compared, "Comparing", total=len(tracklets), unit="tracklet", disable=None if progress else True)
    for tracklet, values in zip(tracklets, bar, strict=True):
        overlaps.setdefault(tracklet.type, []).extend(values)
    all_values = [value for values in overlaps.values() for value in values]
    result: dict[str, Any] = {str(modality): mean(overlaps.get(modality, [])) for modality in Modality}
    result |= {"silhouette_iou": mean(all_values), "frames": len(all_values)}
    write_json(out / RESULT, result)
    return result


def truth_folder(truth: str | Path) -> Path:
    """Return the folder of true silhouettes.

    Raises:
        DataError: the folder does not exist.
    """
    folder = Path(truth).expanduser()
    if not folder.is_dir():
        raise DataError(f"There is no folder of true silhouettes {folder}; name the folder that holds silhouettes/.")
    return folder


def overlaps_of(out: Path, tracklet: ChosenTracklet, truth: Path) -> Iterator[float]:
    """Yield the overlap of each chosen frame of a tracklet."""
    if not tracklet.paths:
        raise DataError(f"Tracklet {tracklet.folder} has no image files whose names its true silhouettes could share.")
    for name, frame in zip(tracklet.names, tracklet.paths, strict=True):
        true = read_grey(true_silhouette(truth, frame))
        mask = read_grey(out / tracklet.folder / MASKS / f"{name}.png")
        if mask.shape != true.shape:
            mask = cv2.resize(mask, true.shape[::-1], interpolation=cv2.INTER_LINEAR)
        yield intersection_over_union(mask, true)


def true_silhouette(truth: Path, frame: Path) -> Path:
    """Return the file of a frame's true silhouette.

    Raises:
        DataError: it does not exist.
    """
    # Silhouettes lie below split, person, sensor and camera, or in the older layout without the split.
    candidates = [
        base / Path(*frame.parts[-depth:]).with_suffix(".png")
        for depth in (5, 4)
        for base in (truth, truth / "silhouettes")
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DataError(f"The frame {frame} has no true silhouette: neither {candidates[0]} nor {candidates[1]} exists.")


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, or None if there are no values."""
    return float(np.mean(values)) if len(values) else None
