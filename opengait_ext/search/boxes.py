"""Boxes of people in a video: CSV files with the columns frame (from 0), track, x, y, w, h in pixels."""

import csv
import logging
import math
from collections.abc import Sequence
from pathlib import Path

from opengait.errors import ConfigError, DataError

log = logging.getLogger("opengait")

# Frame number from 0, then left, top, width and height in pixels.
Box = tuple[int, int, int, int, int]

COLUMNS = ("frame", "track", "x", "y", "w", "h")
HEADER = ",".join(COLUMNS)


def check_boxes(videos: Sequence[Path], boxes: Sequence[str | Path]) -> None:
    """Check that each video has a file of boxes.

    Raises:
        ConfigError: the numbers of files and videos differ.
    """
    if len(boxes) < len(videos):
        raise ConfigError(
            f"{videos[len(boxes)]} needs boxes: give --boxes a CSV file with the columns {HEADER} for each video, in "
            f"the order of the videos."
        )
    if len(boxes) > len(videos):
        raise ConfigError(
            f"{boxes[len(videos)]} has no video: got {len(boxes)} files of boxes for {len(videos)} videos."
        )


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Return `{track: [(frame, x, y, w, h), ...]}`, sorted by frame, with tracks in the order of the file.

    A file whose first frame is 1 is read as it is, with a warning, since trackers often count frames from 1.

    Raises:
        DataError: the file is missing, lacks a column or its header, holds shares of the picture instead of pixels
            or two boxes of one track in one frame, or a row is not a valid box.
    """
    tracks: dict[str, dict[int, Box]] = {}
    largest, narrow = 0.0, ""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, strict=True, skipinitialspace=True)
            rows.fieldnames = _columns(rows.fieldnames or (), path)
            for row in rows:
                line = f"{path}, line {rows.line_num}"
                frame, *sides = _numbers(row, line)
                largest = max(largest, *sides)
                narrow = line if min(sides[2:]) < 1 and not narrow else narrow
                boxes = tracks.setdefault(row["track"].strip(), {})
                if frame in boxes:
                    raise DataError(f"{line}: track {row['track']!r} already has a box in frame {frame:g}.")
                boxes[int(frame)] = _box(frame, sides, line)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"Cannot read the boxes {path}: {getattr(error, 'strerror', None) or error}.") from error
    if not tracks:
        raise DataError(f"{path} has no boxes.")
    if largest <= 1:
        raise DataError(
            f"{path} has boxes from 0 to {largest:g}, which are shares of the picture; expected pixels: multiply x "
            f"and w by the video's width, y and h by its height."
        )
    if narrow:
        raise DataError(f"{narrow} is not a valid box: it is narrower than a pixel.")
    if min(map(min, tracks.values())) == 1:
        log.warning("%s: its first frame is 1. Frames are counted from 0; if yours start at 1, subtract 1.", path)
    return {track: sorted(boxes.values()) for track, boxes in tracks.items()}


def _columns(names: Sequence[str], path: Path) -> list[str]:
    """Return the names of the columns, without spaces around them."""
    names = [name.strip().lower() for name in names]
    missing = [column for column in COLUMNS if column not in names]
    if missing and names and all(map(_is_number, names)):
        raise DataError(
            f"{path} has no header; add the line {HEADER} (and a name for each further column). Frames are counted "
            f"from 0: subtract 1 from those of a tracker that counts from 1, as in MOT files."
        )
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}; boxes need {HEADER}, separated by commas.")
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns with the same name; boxes need {HEADER}.")
    return names


def _numbers(row: dict[str, str], line: str) -> list[float]:
    """Return frame, x, y, w and h of a row."""
    if None in row or None in row.values():
        raise DataError(f"{line}: expected one value per column of the header, got more or fewer.")
    if not row["track"].strip():
        raise DataError(f"{line}: the box has no track.")
    wrong = [column for column in COLUMNS if column != "track" and not _is_number(row[column])]
    if wrong:
        raise DataError(f"{line}: expected numbers for frame, x, y, w and h, got {wrong[0]} {row[wrong[0]]!r}.")
    return [float(row[column]) for column in COLUMNS if column != "track"]


def _box(frame: float, sides: Sequence[float], line: str) -> Box:
    x, y, w, h = sides
    if frame < 0 or frame != int(frame) or min(w, h) <= 0:
        raise DataError(f"{line} is not a valid box: frame {frame:g}, width {w:g}, height {h:g}.")
    return int(frame), round(x), round(y), round(w), round(h)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
