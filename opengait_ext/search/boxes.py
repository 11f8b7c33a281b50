"""Boxes of people in a video, from the files that trackers write: see `box_tables` and `box_json`."""

import csv
import logging
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait_ext.search.box_json import read_json
from opengait_ext.search.box_tables import HEADER, Row, layout_of, read_table

log = logging.getLogger("opengait")

# Boxes whose sides and corners are all up to this cannot be pixels, but are shares of the picture.
_SHARES = 2
_LARGEST = 1e9


@dataclass(frozen=True)
class Boxes:
    """The boxes of a video.

    Attributes:
        tracks: int64 (n, 5) per track, in the order of the file: frame from 0, left, top, width, height in pixels,
            sorted by frame, within the picture once `inside` has cut them.
        path: the file.
        empty: number of boxes that were skipped since they have no area.
    """

    tracks: dict[str, np.ndarray]
    path: Path
    empty: int = 0

    def inside(self, size: tuple[int, int]) -> "Boxes":
        """Cut the boxes to pictures of (height, width), and skip those outside.

        Raises:
            DataError: no box is inside.
        """
        tracks, empty, beyond, count = {}, self.empty, 0, 0
        for track, rows in self.tracks.items():
            corners = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:]], axis=1)
            corners = corners.clip(0, [size[1], size[0]] * 2)
            cut = np.concatenate([rows[:, :1], corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
            kept = cut[(cut[:, 3:] > 0).all(axis=1)]
            empty += len(cut) - len(kept)
            beyond += int((cut[:, 3] * cut[:, 4] < rows[:, 3] * rows[:, 4] / 2).sum())
            count += len(cut)
            if len(kept):
                tracks[track] = kept
        if not tracks:
            raise DataError(f"{self.path}: none of its boxes lies in the picture ({size[1]} x {size[0]} pixels).")
        if empty:
            log.warning("%s: skipped %d boxes without an area in the picture.", self.path, empty)
        if beyond > count / 2:
            log.warning(
                "%s: most boxes lie outside the picture; expected x, y, width and height in pixels of the video, not "
                "two corners.",
                self.path,
            )
        return Boxes(tracks, self.path, empty)


def boxes_beside(video: Path) -> Path:
    """Return the file of boxes that `vvi track` writes for a video."""
    return video.with_suffix(".boxes.txt")


def boxes_for(videos: Sequence[Path], given: Sequence[str | Path]) -> list[Path]:
    """Return the file of boxes of each video: those given, in the same order, or those beside the videos.

    Raises:
        ConfigError: the numbers of files and videos differ, or a video has no file of boxes.
    """
    files = list(map(Path, given)) if given else [boxes_beside(video) for video in videos]
    if len(files) > len(videos):
        raise ConfigError(f"{files[len(videos)]} has no video: got {len(files)} files of boxes, {len(videos)} videos.")
    without = videos[len(files) :] if given else [video for video in videos if not boxes_beside(video).exists()]
    if without:
        raise ConfigError(
            f"{without[0]} needs boxes: write them with `vvi track`, or give --boxes a file for each video, in the "
            f"order of the videos: MOT text, CSV with the header {HEADER}, or COCO-video JSON."
        )
    return files


def read_boxes(path: Path, video: str = "") -> Boxes:
    """Read a file of boxes, whose format is recognised by its content.

    Args:
        path: the file.
        video: name of the video, by which JSON about several is searched.

    Raises:
        DataError: the file is missing or not a file of boxes, or holds shares of the picture instead of pixels, or two
            boxes of one track in one frame.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = next((line for line in file if line.strip()), "")
            file.seek(0)
            if not head:
                raise DataError(f"{path} has no boxes.")
            if head.lstrip()[:1] in ("{", "["):
                return _collect(read_json(file.read(), str(path), video), path)
            layout = layout_of(head, str(path))
            boxes = _collect(read_table(file, layout, str(path)), path)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"Cannot read the boxes {path}: {getattr(error, 'strerror', None) or error}.") from error
    if layout.first_frame == 0 and min(rows[0, 0] for rows in boxes.tracks.values()) == 1:
        log.warning("%s: its first frame is 1. Frames are counted from 0; if yours start at 1, subtract 1.", path)
    return boxes


def _collect(rows: Iterable[Row], path: Path) -> Boxes:
    """Sort rows by track and frame, and round them to whole pixels."""
    tracks: dict[str, array] = {}
    largest, count, empty = 0.0, 0, 0
    for row in rows:
        count += 1
        largest = max(largest, abs(row.x), abs(row.y), row.w, row.h)
        if max(largest, row.frame) > _LARGEST:
            raise DataError(f"{path}: expected a frame and pixels, got {largest:g} in frame {float(row.frame):g}.")
        box = (row.frame, round(row.x), round(row.y), round(row.w), round(row.h))
        if min(box[3:]) < 1:
            empty += 1
        else:
            tracks.setdefault(row.track, array("q")).extend(box)
    if not count:
        raise DataError(f"{path} has no boxes.")
    if largest <= _SHARES:
        raise DataError(
            f"{path} has boxes from 0 to {largest:g}, which are shares of the picture; expected pixels: multiply x "
            f"and w by the video's width, y and h by its height."
        )
    if not tracks:
        raise DataError(f"{path} has {empty} boxes, all narrower than a pixel; expected x, y, width and height.")
    arrays = {track: np.array(values).reshape(-1, 5) for track, values in tracks.items()}
    first = min(int(rows[:, 0].min()) for rows in arrays.values())
    if first < 0:
        log.warning("%s has a frame 0, so its frames are counted from 0, although MOT files count from 1.", path)
        for rows in arrays.values():
            rows[:, 0] += 1
    return Boxes({track: _by_frame(rows, path, track) for track, rows in arrays.items()}, path, empty)


def _by_frame(rows: np.ndarray, path: Path, track: str) -> np.ndarray:
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    again = np.flatnonzero(np.diff(rows[:, 0]) == 0)
    if len(again):
        raise DataError(f"{path}: track {track!r} has two boxes in frame {rows[again[0], 0]}, counted from 0.")
    return rows
