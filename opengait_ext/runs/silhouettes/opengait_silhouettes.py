"""Masks as OpenGait's silhouette folders, which silhouette models (GaitSet, GaitBase, ...) train on.

The masks are those of an export, or those that another network made (`data_cfg.mask_root`), so that the two can be
compared by how well one gait model does on them. Training and test people go into one folder, by one call each.

`silhouettes-64x64/<id>/<type>/<view>/<view>.pkl` holds uint8 [T, 64, 64], aligned as OpenGait's pretreatment does;
`silhouettes-64x44` the same without ten columns on each side, what those models see after their usual cut;
`silhouettes.json` is the partition (`data_cfg.dataset_partition`).
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from opengait.data.dataset import read_partition
from opengait.errors import DataError
from opengait.utils.files import write_json, write_whole
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.data.masks import MaskFolder
from opengait_ext.runs.silhouettes.export import MASKS, RECORD
from opengait_ext.runs.silhouettes.pictures import read_grey
from opengait_ext.runs.silhouettes.threads import in_threads

SIZE = 64
SIDES = 10  # columns that OpenGait's silhouette transform cuts off each side of 64
LEAST_SUM = 10_000  # of the bytes of a silhouette that OpenGait's pretreatment keeps: 40 foreground pixels
WIDE, NARROW, PARTITION = "silhouettes-64x64", "silhouettes-64x44", "silhouettes.json"

ReadMasks = Callable[[ChosenTracklet], Iterable[np.ndarray]]


@dataclass(frozen=True)
class SilhouetteFolders:
    """What was written: tracklets, their frames, and tracklets and frames left out since nobody was found in them."""

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
        out: the folder; an export, unless `masks` are given.
        tracklets: those to write.
        training: list their people in TRAIN_SET, not TEST_SET; people of an earlier call stay listed.
        soft: keep the mask's probability, 0 to 255; otherwise a pixel is 255 from a probability of 0.5 on and 0 below.
            Where the person stands is read from the latter either way.
        progress: show a bar with the time left.
        masks: gives a tracklet's masks, uint8 (h, w), such as `given_masks`; by default those that
            `export_silhouettes` has put into `out`.

    Raises:
        DataError: a mask cannot be read, or masks are given for a folder that holds an export.
    """
    out = Path(out)
    if masks is not None and (out / RECORD).exists():
        raise DataError(f"{out} holds what a network sees; choose another folder for masks that are given.")
    read = exported_masks(out) if masks is None else masks

    def write(tracklet: ChosenTracklet) -> int:
        stack = align_all(read(tracklet), soft)
        for folder, silhouettes in ((WIDE, stack), (NARROW, stack[:, :, SIDES : SIZE - SIDES])):
            path = out / folder / tracklet.folder / f"{tracklet.view}.pkl"
            if len(stack):
                write_array(path, silhouettes)
            else:
                # What an earlier call, with other masks, may have found.
                path.unlink(missing_ok=True)
        return len(stack)

    work = in_threads(write, tracklets)
    counts = list(tqdm(work, "Aligning", total=len(tracklets), unit="tracklet", disable=not progress))
    people = {tracklet.label for tracklet, count in zip(tracklets, counts, strict=True) if count}
    write_partition(out / PARTITION, people, training)
    return SilhouetteFolders(
        tracklets=sum(count > 0 for count in counts),
        frames=sum(counts),
        empty_tracklets=sum(count == 0 for count in counts),
        empty_frames=sum(len(tracklet.indices) for tracklet in tracklets) - sum(counts),
    )


def exported_masks(out: Path) -> ReadMasks:
    """The masks that `export_silhouettes` has put into `out`, of a tracklet's chosen frames."""

    def read(tracklet: ChosenTracklet) -> Iterator[np.ndarray]:
        return (read_grey(out / tracklet.folder / MASKS / f"{name}.png") for name in tracklet.names)

    return read


def given_masks(folder: MaskFolder, size: tuple[int, int]) -> ReadMasks:
    """The masks of a folder, of a tracklet's chosen frames, resized to `size` (height, width)."""

    def read(tracklet: ChosenTracklet) -> Iterator[np.ndarray]:
        if not tracklet.paths:
            raise DataError(f"Tracklet {tracklet.folder} is no list of image files, so its masks have no names.")
        # Of several groups of classes everything is foreground.
        return (folder.read(folder.path_of(frame), size).max(axis=0) for frame in tracklet.paths)

    return read


def align_all(masks: Iterable[np.ndarray], soft: bool) -> np.ndarray:
    """Masks (uint8) as aligned silhouettes, uint8 [T, 64, 64], without those that show nobody, as OpenGait does."""
    aligned = []
    for mask in masks:
        silhouette = np.where(mask >= 128, 255, 0).astype(np.uint8)
        picture = align_silhouette(silhouette, mask if soft else silhouette)
        if picture is not None:
            aligned.append(picture)
    return np.stack(aligned) if aligned else np.empty((0, SIZE, SIZE), np.uint8)


def align_silhouette(silhouette: np.ndarray, content: np.ndarray | None = None, size: int = SIZE) -> np.ndarray | None:
    """OpenGait's alignment (pretreatment.py): the person fills the height and stands in the middle.

    The rows with foreground are resized, with cubic interpolation, to `size` rows and a proportional width; then
    `size` columns are cut out around the first column up to which more than half of the foreground lies.

    Args:
        silhouette: uint8 (h, w), 0 background.
        content: uint8 (h, w), what is cut out where the silhouette says; the silhouette itself by default.
        size: height and width of the result.

    Returns:
        uint8 (size, size); None where fewer than about 40 pixels are foreground.
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
    """A pickled plain array, as OpenGait's preparation writes and the engine's restricted reader reads it."""
    content = pickle.dumps(np.ascontiguousarray(array))
    write_whole(path, lambda partial: partial.write_bytes(content))


def write_partition(path: Path, people: set[str], training: bool) -> None:
    """List `people` in TRAIN_SET or TEST_SET, besides those that the file already lists.

    Raises:
        DataError: there is a file that is no partition.
    """
    former = read_partition(path) if path.is_file() else {}
    partition = {part: set(former.get(part, ())) for part in ("TRAIN_SET", "TEST_SET")}
    partition["TRAIN_SET" if training else "TEST_SET"] |= people
    write_json(path, {part: sorted(listed) for part, listed in partition.items()})
