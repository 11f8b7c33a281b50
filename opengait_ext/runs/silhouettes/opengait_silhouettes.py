"""Masks as OpenGait silhouette folders, the training data of silhouette models (GaitSet, GaitBase, ...).

The masks come from an export or from another network (`data_cfg.mask_root`), so the two can be compared by training
one gait model on either. Training and test people are written into one folder, with one call each.

`silhouettes-64x64/<id>/<type>/<view>/<view>.pkl` holds uint8 [T, 64, 64], aligned as in OpenGait's pretreatment;
`silhouettes-64x44` holds the same without ten columns on each side, which is what those models see after their usual
cut; `silhouettes.json` is the partition (`data_cfg.dataset_partition`).
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from opengait.data.layout import read_partition
from opengait.errors import DataError
from opengait.utils.files import write_json, write_whole
from opengait.utils.threads import in_threads
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.data.masks import MaskFolder
from opengait_ext.runs.silhouettes.export import MASKS, RECORD
from opengait_ext.runs.silhouettes.image_files import read_grey

SIZE = 64
SIDES = 10  # columns that OpenGait's silhouette transform cuts off on each side of 64
LEAST_SUM = 10_000  # OpenGait's pretreatment keeps silhouettes with a larger sum: 40 foreground pixels
WIDE, NARROW, PARTITION = "silhouettes-64x64", "silhouettes-64x44", "silhouettes.json"

ReadMasks = Callable[[ChosenTracklet], Iterable[np.ndarray]]


@dataclass(frozen=True)
class SilhouetteFolders:
    """Numbers of tracklets and frames written, and of those skipped because their masks are empty."""

    tracklets: int
    frames: int
    empty_tracklets: int
    empty_frames: int


def write_opengait_silhouettes(
    out: str | Path,
    tracklets: Sequence[ChosenTracklet],
    training: bool = False,
    soft: bool = False,
    progress: bool = True,
    masks: ReadMasks | None = None,
) -> SilhouetteFolders:
    """Write both folders and the partition into `out`.

    Args:
        out: the output folder; without `masks`, a folder written by `export_silhouettes`.
        tracklets: the tracklets to write.
        training: list their people in TRAIN_SET instead of TEST_SET; people of earlier calls stay listed.
        soft: keep the probabilities of the mask, 0 to 255; otherwise pixels are 255 if their probability is at least
            0.5 and 0 if not. The alignment always uses the latter.
        progress: show a progress bar.
        masks: returns the masks of a tracklet, uint8 (h, w), such as `given_masks`; by default the exported masks in
            `out`.

    Raises:
        DataError: a mask cannot be read, or `masks` is combined with a folder that holds an export.
    """
    out = Path(out)
    if masks is not None and (out / RECORD).exists():
        raise DataError(f"{out} holds the export of a network; choose another folder for given masks.")
    read = exported_masks(out) if masks is None else masks

    def write(tracklet: ChosenTracklet) -> int:
        stack = align_all(read(tracklet), soft)
        for folder, silhouettes in ((WIDE, stack), (NARROW, stack[:, :, SIDES : SIZE - SIDES])):
            path = out / folder / tracklet.folder / f"{tracklet.view}.pkl"
            if len(stack):
                write_array(path, silhouettes)
            else:
                # An earlier call with other masks may have written it.
                path.unlink(missing_ok=True)
        return len(stack)

    work = in_threads(write, tracklets)
    counts = list(tqdm(work, "Aligning", total=len(tracklets), unit="tracklet", disable=None if progress else True))
    people = {tracklet.label for tracklet, count in zip(tracklets, counts, strict=True) if count}
    write_partition(out / PARTITION, people, training)
    return SilhouetteFolders(
        tracklets=sum(count > 0 for count in counts),
        frames=sum(counts),
        empty_tracklets=sum(count == 0 for count in counts),
        empty_frames=sum(len(tracklet.indices) for tracklet in tracklets) - sum(counts),
    )


def exported_masks(out: Path) -> ReadMasks:
    """Return a reader of the exported masks in `out`, for the chosen frames of a tracklet."""

    def read(tracklet: ChosenTracklet) -> Iterator[np.ndarray]:
        return (read_grey(out / tracklet.folder / MASKS / f"{name}.png") for name in tracklet.names)

    return read


def given_masks(folder: MaskFolder, size: tuple[int, int]) -> ReadMasks:
    """Return a reader of the masks in a folder, for the chosen frames of a tracklet, resized to `size` (h, w)."""

    def read(tracklet: ChosenTracklet) -> Iterator[np.ndarray]:
        if not tracklet.paths:
            raise DataError(f"Tracklet {tracklet.folder} has no image files whose names its masks could share.")
        # Every group of classes counts as foreground.
        return (folder.read(folder.path_of(frame), size).max(axis=0) for frame in tracklet.paths)

    return read


def align_all(masks: Iterable[np.ndarray], soft: bool) -> np.ndarray:
    """Align masks (uint8) to silhouettes, uint8 [T, 64, 64]; like OpenGait, skip those that are almost empty."""
    aligned = []
    for mask in masks:
        silhouette = np.where(mask >= 128, 255, 0).astype(np.uint8)
        picture = align_silhouette(silhouette, mask if soft else silhouette)
        if picture is not None:
            aligned.append(picture)
    return np.stack(aligned) if aligned else np.empty((0, SIZE, SIZE), np.uint8)


def align_silhouette(silhouette: np.ndarray, content: np.ndarray | None = None, size: int = SIZE) -> np.ndarray | None:
    """Align a silhouette as OpenGait's pretreatment does: the person fills the height and stands in the middle.

    The rows with foreground are resized, with cubic interpolation, to `size` rows and a proportional width; then
    `size` columns are cut out around the column that halves the foreground.

    Args:
        silhouette: uint8 (h, w), 0 background.
        content: uint8 (h, w), the picture to cut out at the position of the silhouette; the silhouette by default.
        size: height and width of the result.

    Returns:
        uint8 (size, size); None if fewer than about 40 pixels are foreground.
    """
    if int(silhouette.sum(dtype=np.int64)) <= LEAST_SUM:
        return None
    rows = np.flatnonzero(silhouette.any(axis=1))
    height = rows[-1] + 1 - rows[0]
    width = max(1, int(size * silhouette.shape[1] / height))
    resized = [
        cv2.resize(np.ascontiguousarray(picture[rows[0] : rows[-1] + 1]), (width, size), interpolation=cv2.INTER_CUBIC)
        for picture in (silhouette, silhouette if content is None else content)
    ]
    mass = resized[0].sum(axis=0, dtype=np.int64).cumsum()
    person = resized[1]
    centre = int(np.argmax(mass > mass[-1] / 2))
    if centre == 0:
        return None
    half = size // 2
    if centre - half <= 0 or centre + half >= width:
        person = np.pad(person, ((0, 0), (half, half)))
        centre += half
    return person[:, centre - half : centre + half]


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as OpenGait's preparation does, in a form that the engine's restricted reader accepts."""
    content = pickle.dumps(np.ascontiguousarray(array))
    write_whole(path, lambda partial: partial.write_bytes(content))


def write_partition(path: Path, people: set[str], training: bool) -> None:
    """Add `people` to TRAIN_SET or TEST_SET of a partition file.

    Raises:
        DataError: the existing file is not a partition.
    """
    former = read_partition(path) if path.is_file() else {}
    partition = {part: set(former.get(part, ())) for part in ("TRAIN_SET", "TEST_SET")}
    partition["TRAIN_SET" if training else "TEST_SET"] |= people
    write_json(path, {part: sorted(listed) for part, listed in partition.items()})
