"""Writing a dataset in OpenGait's layout, for models that read RGB frames from it, such as BigGait.

    OUT/<id>/<modality>/<view>/<view>-aligned-rgbs.pkl    uint8 [T, 3, 256, 128], RGB
    OUT/<id>/<modality>/<view>/<view>-ratios.pkl          float32 [T], width / height of the image
    OUT/partition.json                                    TRAIN_SET, TEST_SET, PROBE_SET, GALLERY_SET

With "pad", as in OpenGait's RGB data, a frame is resized to the full height at its aspect ratio, and its width is
padded with zeros or centre-cropped. With "stretch" it is resized to height and width, like the frames of the in-place
readers.

DinoGRL does not need this layout: the in-place readers decode only the frames that are used, while OpenGait's layout
loads whole tracklets.
"""

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
from opengait.data.packs.read import Pack
from opengait.data.text_files import read_json
from opengait.errors import DataError
from opengait_ext.data.tracklet import Tracklet

SIZE = (256, 128)
FITS = ("pad", "stretch")
PARTITION, SETTINGS = "partition.json", "prepared.json"
# A run modifies its staging folder with every tracklet; a killed run left it if it is unchanged for this many seconds.
STAGING, STALE = ".partial-", 3600


class Source(Protocol):
    """A dataset read in place, such as `HITSZVCM` or `BUPTCampus`."""

    train: list[Tracklet]
    query: list[Tracklet]
    gallery: list[Tracklet]
    pack: Pack | None
    warnings: list[str]

    @property
    def test(self) -> list[Tracklet]: ...

    def summary(self) -> str: ...


@dataclass(frozen=True)
class Prepared:
    """Numbers of tracklets and frames written, and of tracklets that already existed."""

    written: int
    frames: int
    kept: int


@dataclass(frozen=True)
class Writer:
    """Writes the folder of a tracklet atomically.

    Args:
        out: the output folder.
        staging: a folder on the same disk, which holds a tracklet until it is complete.
        size: (height, width) of the stored frames.
        fit: "pad" or "stretch".
        pack: the pack that frames are read from, None for files.
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
                    f"Cannot write {target}: {error.strerror}; make room and run again; it continues where it stopped."
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
    """Write the training and test tracklets of a dataset in OpenGait's layout, skipping those that exist.

    Args:
        source: the dataset.
        out: the output folder: empty, or of an earlier run with the same settings.
        settings: the dataset and the selection of its tracklets; stored with the data, so that two are not mixed.
        size: (height, width) of the stored frames.
        fit: "pad" keeps the aspect ratio, "stretch" stores the frames of the in-place readers.
        workers: number of processes; 1 uses the current process.
        progress: show a progress bar.

    Raises:
        DataError: a frame cannot be read, `out` holds other data, or the disk is full.
    """
    out = Path(out).expanduser().absolute()
    _claim(out, settings | {"height": size[0], "width": size[1], "fit": fit})
    tracklets = [*source.train, *source.test]
    missing = [tracklet for tracklet in tracklets if not (out / folder_of(tracklet)).is_dir()]
    _check_room(out, sum(len(tracklet.frames) for tracklet in missing) * 3 * size[0] * size[1])
    _clear_up(out)
    with tempfile.TemporaryDirectory(prefix=STAGING, dir=out) as staging:
        work = Writer(out, Path(staging), size, fit, source.pack)
        counts = _write_all(work, missing, workers)
        frames = sum(tqdm(counts, "Preparing", total=len(missing), unit="tracklet", disable=None if progress else True))
    _write_json(out / PARTITION, partition_of(source))
    return Prepared(len(missing), frames, len(tracklets) - len(missing))


def folder_of(tracklet: Tracklet) -> Path:
    """Return `<id>/<modality>/<view>`."""
    return Path(tracklet.label, str(tracklet.modality), tracklet.view)


def partition_of(source: Source) -> dict[str, list[str]]:
    """Return the partition: TRAIN_SET and TEST_SET of sorted ids, PROBE_SET and GALLERY_SET of `id-type-view`."""
    return {
        "TRAIN_SET": sorted({tracklet.label for tracklet in source.train}),
        "TEST_SET": sorted({tracklet.label for tracklet in source.test}),
        "PROBE_SET": ["-".join(folder_of(tracklet).parts) for tracklet in source.query],
        "GALLERY_SET": ["-".join(folder_of(tracklet).parts) for tracklet in source.gallery],
    }


def render(
    paths: Sequence[Path], size: tuple[int, int], fit: str, pack: Pack | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Decode the frames of a tracklet from files or from a pack.

    Returns:
        The frames, uint8 `[T, 3, height, width]`, and width / height of each image, float32 `[T]`: of the file with
        "pad", of the stored frame with "stretch".

    Raises:
        DataError: a frame cannot be read; the message names the file.
    """
    height, width = size
    source = ImageFrames(paths, size, pack)
    if fit == "stretch":
        return source[range(len(paths))], np.full(len(paths), width / height, np.float32)
    frames = np.zeros((len(paths), 3, height, width), np.uint8)
    ratios = np.empty(len(paths), np.float32)
    for index in range(len(paths)):
        picture = source.picture(index)
        ratios[index] = picture.width / picture.height
        wide = max(1, height * picture.width // picture.height)
        pixels = np.asarray(picture.resize((wide, height), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        # One of the two is zero: the columns to cut off at the left side, or to pad there.
        cut, empty = max(0, wide - width) // 2, max(0, width - wide) // 2
        frames[index, ..., empty : empty + wide] = pixels[..., cut : cut + width]
    return frames, ratios


def _write_all(work: Writer, tracklets: Sequence[Tracklet], workers: int) -> Iterator[int]:
    """Write the tracklets in order, and yield their numbers of frames."""
    if workers == 1 or len(tracklets) < 2:
        yield from map(work, tracklets)
        return
    # Workers are spawned, because a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tracklets)), context, initializer=_leave_interrupts)
    try:
        yield from pool.map(work, tracklets)
    except BrokenProcessPool:
        raise DataError(
            "A worker process was killed, perhaps because memory ran out; run again with fewer --workers, which "
            "continues where this run stopped."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the main process, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Create `out`, or check that an earlier run created it with these settings."""
    known = out / SETTINGS
    if not known.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise DataError(f"{out} is not empty and was not created by this command; choose another folder.")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"Cannot create the folder {out}: {error.strerror}.") from error
        _write_json(known, settings)
        return
    former = read_json(known, "choose another folder")
    differing = [key for key in settings if former.get(key) != settings[key]]
    if differing:
        key = differing[0]
        raise DataError(
            f"{out} was prepared with {key} {former.get(key)}, not {settings[key]}; choose another folder or delete it."
        )


def _clear_up(out: Path) -> None:
    for folder in out.glob(f"{STAGING}*"):
        if time.time() - folder.stat().st_mtime > STALE:
            shutil.rmtree(folder, ignore_errors=True)


def _check_room(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if needed > free:
        raise DataError(
            f"{out} has {free / 1e9:.1f} GB of free space, but the remaining frames take {needed / 1e9:.1f} GB; "
            f"choose a folder on another disk."
        )


def _write_json(path: Path, content: Any) -> None:
    # Imported here, because it imports torch, which the workers do not need.
    from opengait.utils.files import write_json

    write_json(path, content)
