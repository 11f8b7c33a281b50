"""Parsers of BUPTCampus's files: the lists, which name the tracklets of a split, and `data_paths.json`, their frames.

Parsers yield an entry or a problem per line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.data.problems import Problem
from opengait.data.text_files import read_json
from opengait_ext.data.bupt_campus.layout import CAMERAS, INFRARED_CODE, PAIR_CODE, PATHS_FILE, SOURCE, VISIBLE_CODE
from opengait_ext.data.files import BAD_LINE, line_problem, number_of

TWICE, UNKNOWN, UNEQUAL = "tracklet listed twice", "tracklet without frames", "pair of unequal length"
OUTSIDE, AGAINST = "frame outside DATA", "frame file contradicts its tracklet"


@dataclass(frozen=True)
class ListRow:
    """A line of a list, which is a tracklet or an aligned pair of tracklets; `number` is the line, from 1."""

    number: int
    person: str
    code: str
    camera: str
    track: str

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its tracklets."""
        return (VISIBLE_CODE, INFRARED_CODE) if self.code == PAIR_CODE else (self.code,)


def parse_list(path: Path, lines: Sequence[str], codes: tuple[str, ...]) -> Iterator[ListRow | Problem]:
    """Parse the lines of a list.

    Args:
        path: the list.
        lines: its lines.
        codes: the codes that its lines may have.
    """
    lines_of: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines, start=1):
        fields = tuple(line.split())
        if len(fields) != 4 or number_of(fields[0]) is None:
            what = f"{line[:80]!r} should be person, modality, camera and track, such as '1746 {codes[0]} TSG2 1'"
            yield line_problem(BAD_LINE, path, number, what)
        elif fields[1] not in codes:
            what = f"modality {fields[1][:80]}; expected {' or '.join(codes)} in this list"
            yield line_problem(BAD_LINE, path, number, what)
        elif fields[2] not in CAMERAS:
            yield line_problem(BAD_LINE, path, number, f"camera {fields[2][:80]}; expected {', '.join(CAMERAS)}")
        elif fields in lines_of:
            what = f"the same tracklet as in line {lines_of[fields]}; remove one of them"
            yield line_problem(TWICE, path, number, what)
        else:
            lines_of[fields] = number
            yield ListRow(number, *fields)


def parse_frames(paths: Mapping[str, Any], row: ListRow, path: Path) -> Iterator[tuple[str, tuple[str, ...]] | Problem]:
    """Look up the frames of a row of the list `path`: (code, frame files relative to `DATA/`) per tracklet."""
    lengths = {}
    for code in row.codes:
        frames: Any = paths
        for key in (row.person, code, row.camera, row.track):
            frames = frames.get(key) if isinstance(frames, dict) else None
        tracklet = f"{code} tracklet {row.track} of person {row.person} at camera {row.camera}"
        if frames is None:
            half = f"the pair lacks its {code} half: " if row.code == PAIR_CODE and row.person in paths else ""
            advice = "the two files are of different releases, or the line is wrong"
            yield line_problem(UNKNOWN, path, row.number, f"{half}{PATHS_FILE} has no {tracklet}; {advice}")
        elif not isinstance(frames, list) or not all(isinstance(frame, str) for frame in frames):
            what = f"{PATHS_FILE} should hold a list of frame files for {tracklet}"
            yield line_problem(UNKNOWN, path, row.number, what)
        elif not frames:
            what = f"{PATHS_FILE} has no frames for {tracklet}; remove the line or unpack the data again"
            yield line_problem(UNKNOWN, path, row.number, what)
        else:
            lengths[code] = len(frames)
            yield from _misplaced(frames, row, code, path)
            yield code, tuple(frames)
    if len(set(lengths.values())) > 1:
        counts = f"{lengths[VISIBLE_CODE]} {VISIBLE_CODE} and {lengths[INFRARED_CODE]} {INFRARED_CODE} frames"
        what = f"{PATHS_FILE} has {counts}; a pair shows the same moments, so unpack the data again"
        yield line_problem(UNEQUAL, path, row.number, what)


def _misplaced(frames: Sequence[str], row: ListRow, code: str, path: Path) -> Iterator[Problem]:
    """Yield a problem if frames are not below `DATA/`, or if they are not named for their tracklet."""
    outside = [f for f in frames if "\\" in f or f.startswith("/") or not {"", ".", ".."}.isdisjoint(f.split("/"))]
    if outside:
        what = f"{PATHS_FILE} has {outside[0][:80]!r}; expected paths below DATA/ with forward slashes and no '..'"
        yield line_problem(OUTSIDE, path, row.number, what)
        return
    start = f"{row.person}/{code}/{row.camera}/{row.person}_{code}_{row.camera}_{row.track}_"
    others = [frame for frame in frames if not frame.startswith(start)]
    if others:
        what = f"{len(others)} frames should start with {start}, such as {others[0][:80]}"
        yield line_problem(AGAINST, path, row.number, what, fatal=False)


def read_paths(root: Path) -> dict[str, Any]:
    """Read `data_paths.json`: person -> `IR` or `RGB` -> camera -> track -> frame files below `DATA/`, in time order.

    Raises:
        DataError: the file is missing, or not a JSON object.
    """
    return read_json(root / PATHS_FILE, SOURCE)
