"""Boxes of people in text: CSV, in our columns or those of MOT files, and MOT text without a header.

Our columns are frame, track, x, y, w and h, with frames from 0. MOT files (MOTChallenge's format, which most trackers
write) have frame, id, left, top, width and height, with frames from 1, then often a confidence and more.
"""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

from opengait.errors import DataError

COLUMNS = ("frame", "track", "x", "y", "w", "h")
HEADER = ",".join(COLUMNS)
# The names of MOT's columns, without signs: those of the benchmark's own tools, and of the libraries that read it.
_MOT_NAMES = {
    "frame": ("frame", "frameid", "frameindex"),
    "track": ("id", "trackid", "targetid"),
    "x": ("bbleft", "left", "x"),
    "y": ("bbtop", "top", "y"),
    "w": ("bbwidth", "width", "w"),
    "h": ("bbheight", "height", "h"),
}
# Ground truth has 9 columns: the seventh says whether a box counts.
_TRUTH_COLUMNS, _TRUTH_FLAG = 9, 6


class Row(NamedTuple):
    """A box as a file gives it: frame from 0 (-1 for frame 0 of a file that should count from 1), track and sides."""

    frame: int
    track: str
    x: float
    y: float
    w: float
    h: float


class Table(NamedTuple):
    """The layout of a text file of boxes; `places` are those of `COLUMNS`, `first_frame` is the first one's number."""

    separator: str
    places: Sequence[int]
    width: int
    first_frame: int
    has_header: bool


def read_table(file: TextIO, table: Table, name: str) -> Iterator[Row]:
    """Yield the boxes of a text file.

    Raises:
        DataError: a row is not a box, or the boxes have no tracks; the message names the line.
        csv.Error, ValueError: the file is not text or not CSV.
    """
    lines = _records(file, table.separator)
    if table.has_header:
        next(lines)
    for number, fields in lines:
        place = f"{name}, line {number}"
        # A separator at the end of each line is harmless.
        if len(fields) < max(table.places) + 1 or (table.has_header and len(fields) != table.width):
            raise DataError(f"{place}: expected {table.width} values, got {len(fields)}.")
        if not table.has_header and len(fields) == _TRUTH_COLUMNS and fields[_TRUTH_FLAG] in ("0", "0.0"):
            continue
        yield _row(fields, table, place)


def layout_of(head: str, name: str) -> Table:
    """Return the layout of a file from its first line.

    Raises:
        DataError: the line names no boxes.
    """
    counts = {sign: head.count(sign) for sign in "\t;,"}
    separator = max(counts, key=counts.__getitem__) if any(counts.values()) else " "
    fields = next((fields for _, fields in _records([head], separator)), [])
    if len(fields) >= len(COLUMNS) and all(map(is_number, fields)):
        return Table(separator, range(len(COLUMNS)), len(fields), 1, False)
    names = [re.sub(r"[^a-z0-9]", "", field.lower()) for field in fields]
    if "track" in names or not any(known in names for known in _MOT_NAMES["track"]):
        missing = [column for column in COLUMNS if column not in names]
        places, first_frame = [names.index(column) for column in COLUMNS if column in names], 0
    else:
        known = {column: [other for other in others if other in names] for column, others in _MOT_NAMES.items()}
        missing = [column for column, present in known.items() if not present]
        places, first_frame = [names.index(present[0]) for present in known.values() if present], 1
    if missing:
        raise DataError(
            f"{name} has no column {missing[0]!r}; boxes are CSV with the header {HEADER}, MOT text (frame, id, left, "
            f"top, width, height, ...) or COCO-video JSON."
        )
    if any(names.count(names[place]) > 1 for place in places):
        raise DataError(f"{name} has two columns with the same name; boxes need {HEADER}.")
    return Table(separator, places, len(fields), first_frame, True)


def _records(lines: TextIO | list[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the line, fields) of lines that are not empty."""
    if separator == " ":
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, line.split()
        return
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    for fields in reader:
        if any(map(str.strip, fields)):
            yield reader.line_num, [field.strip() for field in fields]


def _row(fields: list[str], table: Table, place: str) -> Row:
    frame_text, track, *sides = (fields[place] for place in table.places)
    if not track:
        raise DataError(f"{place}: the box has no track.")
    if table.first_frame == 1 and is_number(track):
        track = f"{float(track):.0f}"  # numpy.savetxt writes 7.0e+00
        if track.startswith("-"):
            raise DataError(f"{place}: the box belongs to no track (id {track}); expected the output of a tracker.")
    # Programs whose decimal sign is the comma separate columns by others.
    decimal = "," if table.separator in ";\t" else "."
    numbers = [text.replace(decimal, ".") for text in (frame_text, *sides)]
    values = dict(zip(("frame", *COLUMNS[2:]), numbers, strict=True))
    wrong = [column for column, text in values.items() if not is_number(text)]
    if wrong:
        raise DataError(f"{place}: expected numbers for frame, x, y, w and h, got {wrong[0]} {values[wrong[0]]!r}.")
    frame, x, y, w, h = map(float, values.values())
    if frame < 0 or frame != int(frame):
        raise DataError(f"{place}: expected a frame number, got {frame:g}.")
    return Row(int(frame) - table.first_frame, track, x, y, w, h)


def is_number(text: str) -> bool:
    """Return whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
