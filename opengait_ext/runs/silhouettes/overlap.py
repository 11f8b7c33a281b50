"""How far the learned silhouettes agree with the true ones, where those are known."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from opengait.errors import DataError
from opengait.utils.files import write_json
from opengait_ext.data import Modality
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.runs.silhouettes.export import MASKS
from opengait_ext.runs.silhouettes.pictures import read_grey
from opengait_ext.runs.silhouettes.threads import in_threads

RESULT = "iou.json"


def intersection_over_union(mask: np.ndarray, truth: np.ndarray) -> float:
    """Pixels in both over pixels in either; 1 where both are empty.

    Args:
        mask, truth: of one shape; bool, uint8 with foreground from 128 on, or float with foreground from 0.5 on.

    Raises:
        ValueError: the shapes differ.
    """
    if mask.shape != truth.shape:
        raise ValueError(f"a mask of shape {mask.shape} cannot be compared with a truth of shape {truth.shape}")
    mask, truth = foreground(mask), foreground(truth)
    either = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / either if either else 1.0


def foreground(picture: np.ndarray) -> np.ndarray:
    """Bool: where the picture reaches half of its range."""
    if picture.dtype == np.bool_:
        return picture
    return picture >= (128 if picture.dtype == np.uint8 else 0.5)


def compare_with_truth(
    out: str | Path, tracklets: Sequence[ChosenTracklet], truth: str | Path, progress: bool = True
) -> dict[str, Any]:
    """Mean intersection over union of exported masks with true silhouettes, frame by frame, at the truth's own size.

    Args:
        out: a folder that `export_silhouettes` has filled; the result is also written there as `iou.json`.
        tracklets: those to compare.
        truth: true silhouettes, `[silhouettes/][Train/|Test/]<person>/<ir|rgb>/D<camera>/<frame>.png`.
        progress: show a bar with the time left.

    Returns:
        `visible`, `infrared` (None without such frames), `silhouette_iou` over all frames, and `frames`, how many.

    Raises:
        DataError: a frame has no true silhouette, or a file cannot be read.
    """
    out, truth = Path(out), truth_folder(truth)
    overlaps: dict[str, list[float]] = {}
    compared = in_threads(lambda one: list(overlaps_of(out, one, truth)), tracklets)
    bar = tqdm(compared, "Comparing", total=len(tracklets), unit="tracklet", disable=not progress)
    for tracklet, values in zip(tracklets, bar, strict=True):
        overlaps.setdefault(tracklet.type, []).extend(values)
    everything = [value for values in overlaps.values() for value in values]
    result = {str(modality): mean(overlaps.get(modality, [])) for modality in Modality}
    result |= {"silhouette_iou": mean(everything), "frames": len(everything)}
    write_json(out / RESULT, result)
    return result


def truth_folder(truth: str | Path) -> Path:
    """The folder, if it is one.

    Raises:
        DataError: it is not.
    """
    folder = Path(truth).expanduser()
    if not folder.is_dir():
        raise DataError(f"There is no folder of true silhouettes {folder}; name the one that holds silhouettes/.")
    return folder


def overlaps_of(out: Path, tracklet: ChosenTracklet, truth: Path) -> Iterator[float]:
    """The overlap of each chosen frame of a tracklet."""
    if not tracklet.paths:
        raise DataError(f"Tracklet {tracklet.folder} is no list of image files, so its true silhouettes have no names.")
    for name, frame in zip(tracklet.names, tracklet.paths, strict=True):
        true = read_grey(true_silhouette(truth, frame))
        mask = read_grey(out / tracklet.folder / MASKS / f"{name}.png")
        if mask.shape != true.shape:
            mask = cv2.resize(mask, true.shape[::-1], interpolation=cv2.INTER_LINEAR)
        yield intersection_over_union(mask, true)


def true_silhouette(truth: Path, frame: Path) -> Path:
    """The file of a frame's true silhouette.

    Raises:
        DataError: it is not there.
    """
    # The frame's split, person, sensor and camera folders; silhouettes of the older layout have no split.
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
    """The mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None
