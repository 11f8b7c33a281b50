"""Parsers of HITSZ-VCM's `info/` text files: frame names, tracklet rows and query rows.

A folder of frames holds all tracklets of a person, modality and camera; only these files say where a tracklet begins
and ends. Parsers yield an entry or a problem per line.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from opengait.data.problems import Problem
from opengait_ext.data.files import BAD_LINE, line_problem, number_of
from opengait_ext.data.hitsz_vcm.layout import FRAME_NAME, MODALITIES, folder_of
from opengait_ext.data.tracklet import Modality

PAST = "row past the end of the list"


class FrameName(NamedTuple):
    """A line of `train_name.txt` or `test_name.txt`, and the frame's folder and file relative to the split."""

    name: str
    folder: str
    file: str


@dataclass(frozen=True)
class InfoRow:
    """A line of `track_train_info.txt` or `track_test_info.txt`, which is a tracklet.

    Attributes:
        number: the line, from 1.
        modality, person, camera: of the tracklet.
        first, last: its first and its last line in the list of frame names, from 1.
    """

    number: int
    modality: Modality
    first: int
    last: int
    person: int
    camera: int

    @property
    def folder(self) -> str:
        """The folder that the frames should lie in."""
        return folder_of(f"{self.person:04d}", self.modality, f"D{self.camera}")


def parse_names(path: Path, lines: Sequence[str]) -> Iterator[FrameName | Problem]:
    """Parse the lines of a list of frame names."""
    for number, name in enumerate(lines, start=1):
        match = FRAME_NAME.fullmatch(name)
        if match is None:
            expected = "<4-digit person>M<1 or 2>D<camera>T<tracklet>F<frame>.jpg, such as 0001M2D3T1F1.jpg"
            yield line_problem(BAD_LINE, path, number, f"{name[:80]!r} is not a frame name; expected {expected}")
        else:
            person, code, camera, file = match.groups()
            yield FrameName(name, folder_of(person, MODALITIES[int(code)], camera), file)


def parse_rows(path: Path, lines: Sequence[str], name_count: int | None) -> Iterator[InfoRow | Problem]:
    """Parse the lines of a list of tracklets.

    Args:
        path: the list.
        lines: its lines.
        name_count: the length of the list of frame names, or None if that list cannot be read.
    """
    for number, line in enumerate(lines, start=1):
        numbers = [value for value in map(number_of, line.split()) if value is not None]
        if not len(numbers) == len(line.split()) == 5:
            what = f"{line[:80]!r} should be five numbers: modality, first, last, person, camera"
            yield line_problem(BAD_LINE, path, number, what)
            continue
        code, first, last, person, camera = numbers
        if code not in MODALITIES:
            what = f"modality {code}; expected 1 (infrared) or 2 (visible)"
            yield line_problem(BAD_LINE, path, number, what)
        elif name_count is not None and not 1 <= first <= last <= name_count:
            what = f"frames {first} to {last} are not in the list of frame names, which has {name_count} lines"
            yield line_problem(PAST, path, number, f"{what}; the two lists are of different releases or damaged")
        else:
            yield InfoRow(number, MODALITIES[code], first, last, person, camera)


def parse_query(path: Path, lines: Sequence[str], rows: Container[int]) -> Iterator[int | Problem]:
    """Parse the lines of `query_IDX.txt`: numbers of rows of `track_test_info.txt`, several per line.

    Args:
        path: the list.
        lines: its lines.
        rows: the numbers of the test rows.
    """
    lines_of: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        for field in line.split():
            row = number_of(field)
            if row is None or row not in rows:
                kind = BAD_LINE if row is None else PAST
                yield line_problem(kind, path, number, f"{field[:80]!r} is not a valid row of track_test_info.txt")
            elif row in lines_of:
                what = f"row {field} is listed a second time, first in line {lines_of[row]}"
                yield line_problem(BAD_LINE, path, number, what)
            else:
                lines_of[row] = number
                yield row
