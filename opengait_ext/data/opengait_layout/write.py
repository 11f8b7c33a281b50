"""A data set's tracklets as OpenGait's own layout, for its other models that read RGB frames (BigGait and its kin).

    OUT/<id>/<modality>/<view>/<view>-aligned-rgbs.pkl    uint8 [T, 3, 256, 128], RGB
    OUT/<id>/<modality>/<view>/<view>-ratios.pkl          float32 [T], width / height of the picture
    OUT/partition.json                                    TRAIN_SET, TEST_SET, PROBE_SET, GALLERY_SET

A frame is resized to the full height, its sides kept in proportion, and padded with zeros or cut in the middle of the
width ("pad", as OpenGait's RGB data is); or it is resized to height and width ("stretch", the very frames that the
in-place readers give). DinoGRL itself needs none of this: the in-place readers decode a tracklet's six frames, where
OpenGait's layout loads all of them.
"""

import io
import json
import multiprocessing
import pickle
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from tqdm import tqdm

from opengait.data.frames import ImageFrames
from opengait.data.images import DAMAGE, reason_of
from opengait.data.packs.read import Pack
from opengait.errors import DataError
from opengait_ext.data.tracklet import Tracklet

SIZE = (256, 128)
FITS = ("pad", "stretch")
PARTITION, SETTINGS = "partition.json", "prepared.json"
# A run touches its staging folder with every tracklet; one that lay still for so many seconds was left by a killed run.
STAGING, STALE = ".partial-", 3600


class Source(Protocol):
    """A data set read in place, such as `HITSZVCM` and `BUPTCampus`."""

    train: list[Tracklet]
    query: list[Tracklet]
    gallery: list[Tracklet]
    pack: Pack | None

    @property
    def test(self) -> list[Tracklet]: ...

    def summary(self) -> str: ...


@dataclass(frozen=True)
class Prepared:
    """How many tracklets and frames were written, and how many tracklets were there already."""

    written: int
    frames: int
    kept: int


@dataclass(frozen=True)
class Writer:
    """Makes one tracklet's folder, whole or not at all.

    Args:
        out: the folder of all.
        staging: a folder on the same disk, where a tracklet stays until it is complete.
        size: (height, width) of the stored frames.
        fit: "pad" or "stretch".
        pack: the pack that frames are read from; None reads files.
    """

    out: Path
    staging: Path
    size: tuple[int, int]
    fit: str
    pack: Pack | None = None

    def __call__(self, tracklet: Tracklet) -> int:
        """Write a tracklet and return its number of frames.

        Raises:
            DataError: a frame cannot be read, or the folder cannot be written.
        """
        frames, ratios = render(tracklet.frames, self.size, self.fit, self.pack)
        target = self.out / folder_of(tracklet)
        try:
            with tempfile.TemporaryDirectory(dir=self.staging) as staged:
                folder = Path(staged) / tracklet.view
                folder.mkdir()
                for feature, array in (("aligned-rgbs", frames), ("ratios", ratios)):
                    (folder / f"{tracklet.view}-{feature}.pkl").write_bytes(pickle.dumps(array, protocol=4))
                target.parent.mkdir(parents=True, exist_ok=True)
                folder.rename(target)
        except OSError as error:
            # Another run may have written the same tracklet meanwhile.
            if not target.is_dir():
                raise DataError(
                    f"Cannot write {target}: {error.strerror}; make room and run again, it continues where it stopped."
                ) from error
        return len(frames)


def prepare(
    source: Source,
    out: str | Path,
    settings: dict[str, Any],
    size: tuple[int, int] = SIZE,
    fit: str = "pad",
    workers: int = 1,
    progress: bool = False,
) -> Prepared:
    """Write the training and test tracklets of a data set in OpenGait's layout; what is there already stays.

    Args:
        source: the data set.
        out: the folder to write into: empty, or an earlier run's with the same settings.
        settings: which data set and which of its tracklets; kept beside the data, so that two are not mixed.
        size: (height, width) of the stored frames.
        fit: "pad" keeps the picture's proportions, "stretch" gives the frames of the in-place readers.
        workers: processes that decode; 1 works in this one.
        progress: show a bar.

    Raises:
        DataError: a frame cannot be read, `out` holds something else, or there is no room.
    """
    out = Path(out).expanduser().absolute()
    _claim(out, settings | {"height": size[0], "width": size[1], "fit": fit})
    tracklets = [*source.train, *source.test]
    missing = [tracklet for tracklet in tracklets if not (out / folder_of(tracklet)).is_dir()]
    _check_room(out, sum(len(tracklet.frames) for tracklet in missing) * 3 * size[0] * size[1])
    _clear_up(out)
    with tempfile.TemporaryDirectory(prefix=STAGING, dir=out) as staging:
        work = Writer(out, Path(staging), size, fit, source.pack)
        counts = _done(work, missing, workers)
        frames = sum(tqdm(counts, "Preparing", total=len(missing), unit="tracklet", disable=not progress))
    _write_json(out / PARTITION, partition_of(source))
    return Prepared(len(missing), frames, len(tracklets) - len(missing))


def label_of(tracklet: Tracklet) -> str:
    """The person as a folder's name: a number with four digits (HITSZ-VCM), or the name as it is (BUPTCampus)."""
    return f"{tracklet.person:04d}" if isinstance(tracklet.person, int) else tracklet.person


def folder_of(tracklet: Tracklet) -> Path:
    """`<id>/<modality>/<view>`."""
    return Path(label_of(tracklet), str(tracklet.modality), tracklet.view)


def partition_of(source: Source) -> dict[str, list[str]]:
    """TRAIN_SET and TEST_SET, sorted id strings; PROBE_SET and GALLERY_SET, `id-type-view`, in the lists' order."""
    return {
        "TRAIN_SET": sorted({label_of(tracklet) for tracklet in source.train}),
        "TEST_SET": sorted({label_of(tracklet) for tracklet in source.test}),
        "PROBE_SET": ["-".join(folder_of(tracklet).parts) for tracklet in source.query],
        "GALLERY_SET": ["-".join(folder_of(tracklet).parts) for tracklet in source.gallery],
    }


def render(
    paths: Sequence[Path], size: tuple[int, int], fit: str, pack: Pack | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Decode a tracklet, from files or from a pack.

    Returns:
        Frames, uint8 `[T, 3, height, width]`, and width / height of each picture in them, float32 `[T]`: that of the
        file with "pad", that of the stored frame with "stretch".

    Raises:
        DataError: a frame cannot be read; the message names the file.
    """
    height, width = size
    if fit == "stretch":
        return ImageFrames(paths, size, pack)[range(len(paths))], np.full(len(paths), width / height, np.float32)
    frames = np.zeros((len(paths), 3, height, width), np.uint8)
    ratios = np.empty(len(paths), np.float32)
    for place, path in enumerate(paths):
        across, down = _size_of(path, pack)
        ratios[place] = across / down
        wide = max(1, height * across // down)
        picture = ImageFrames([path], (height, wide), pack)[[0]][0]
        # One of the two is zero: columns cut off the picture's left side, or left empty beside it.
        cut, empty = max(0, wide - width) // 2, max(0, width - wide) // 2
        frames[place, ..., empty : empty + wide] = picture[..., cut : cut + width]
    return frames, ratios


def _done(work: Writer, tracklets: Sequence[Tracklet], workers: int) -> Iterator[int]:
    """Frames of each tracklet as it is written, in order."""
    if workers == 1 or len(tracklets) < 2:
        yield from map(work, tracklets)
        return
    # A fresh interpreter a worker: a fork of a process that has threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tracklets)), context, initializer=_leave_interrupts)
    try:
        yield from pool.map(work, tracklets)
    except BrokenProcessPool:
        raise DataError(
            "A worker process was killed, perhaps for want of memory; run again with fewer --workers, it continues "
            "where it stopped."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is for the main process, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _size_of(path: Path, pack: Pack | None) -> tuple[int, int]:
    """(width, height) of an image file, from its head."""
    try:
        with Image.open(path if pack is None else io.BytesIO(pack.read(path))) as image:
            return image.size
    except DAMAGE as error:
        raise DataError(f"Cannot read the frame {path}: {reason_of(error)}.") from error


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Make `out`, or see that it is an earlier run's with these settings."""
    known = out / SETTINGS
    if not known.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise DataError(f"{out} is not empty and was not made by this script; name another folder.")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"Cannot make the folder {out}: {error.strerror}.") from error
        _write_json(known, settings)
        return
    try:
        former = json.loads(known.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read {known}: {error}; name another folder.") from error
    differing = [key for key in settings if former.get(key) != settings[key]]
    if differing:
        key = differing[0]
        raise DataError(
            f"{out} was prepared with {key} {former.get(key)}, not {settings[key]}; name another folder, or delete it."
        )


def _clear_up(out: Path) -> None:
    for folder in out.glob(f"{STAGING}*"):
        if time.time() - folder.stat().st_mtime > STALE:
            shutil.rmtree(folder, ignore_errors=True)


def _check_room(out: Path, wanted: int) -> None:
    free = shutil.disk_usage(out).free
    if wanted > free:
        raise DataError(
            f"{out} has room for {free / 1e9:.1f} GB, but the frames still to be written take {wanted / 1e9:.1f} GB; "
            f"name a folder on another disk."
        )


def _write_json(path: Path, content: Any) -> None:
    # Imported here, since it loads torch, which workers have no use for.
    from opengait.utils.files import write_json

    write_json(path, content)
