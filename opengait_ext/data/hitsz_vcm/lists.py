"""HITSZ-VCM's `info/` text files: frame names, tracklet rows, query rows.

A folder of frames holds all tracklets of one person, modality and camera together, so only these files say where a
tracklet begins and ends.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from opengait.errors import DataError

# 0503M1D12T2F31.jpg: person 0503, infrared, camera folder D12, tracklet 2, frame 31; camera digits may be several.
FRAME_NAME = re.compile(r"(\d{4})M(\d+)(D\d+)T\d+F(\d+\.\w+)")
INFRARED_CODE, VISIBLE_CODE = 1, 2


@dataclass(frozen=True)
class InfoRow:
    """One line of `track_*_info.txt`; `first` and `last` are 1-based line numbers of the name file, both included."""

    modality: int
    first: int
    last: int
    person: int
    camera: int


@dataclass(frozen=True)
class FrameNames:
    """A name file, taken apart: line i is the file `files[i]` in `folders[i]`, relative to the split's folder."""

    names: list[str]
    folders: list[str]
    files: list[str]


def read_lines(path: Path) -> list[str]:
    """The lines of an info file without the blanks around them; blank lines at the end are left out.

    Raises:
        DataError: the file is missing, is a folder, or is not text.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; HITSZ-VCM has a text file there. Unpack the info archive again.")
    try:
        # Editors on Windows put a mark before UTF-8 text.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing; it belongs to the info archive of HITSZ-VCM, which goes beside the frames "
            f"(see datasets/HITSZ-VCM/README.md)."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.strip() for line in lines]


def read_discarded(paths: Iterable[str | Path]) -> set[str]:
    """The frame names in all of these lists.

    Raises:
        DataError: there is no such file, or it is not text.
    """
    names: set[str] = set()
    for path in map(Path, paths):
        path = path.expanduser()
        if not path.is_file():
            raise DataError(f"data_cfg.discard_lists names {path.absolute()}, which is no file; correct or remove it.")
        names.update(read_lines(path))
    return names


def read_names(path: Path) -> FrameNames:
    """Read `train_name.txt` or `test_name.txt`: person / `ir` or `rgb` / camera folder / frame file, for every name.

    Raises:
        DataError: a line is not a frame name; the message gives the file and the line number.
    """
    names = read_lines(path)
    folders: list[str] = []
    files: list[str] = []
    for number, name in enumerate(names, start=1):
        match = FRAME_NAME.fullmatch(name)
        if match is None:
            raise DataError(
                f"{path}, line {number}: {name!r} is no frame name; expected <4-digit person>M<modality>D<camera>"
                f"T<tracklet>F<frame>.jpg, such as 0001M2D3T1F1.jpg."
            )
        person, modality, camera, file = match.groups()
        folders.append(f"{person}/{'ir' if int(modality) == INFRARED_CODE else 'rgb'}/{camera}")
        files.append(file)
    return FrameNames(names, folders, files)


def read_rows(path: Path, name_count: int) -> list[InfoRow]:
    """Read `track_train_info.txt` or `track_test_info.txt`.

    Args:
        path: the file.
        name_count: lines of the name file that the rows point into.

    Raises:
        DataError: a row is not five whole numbers, has an unknown modality, or points outside the name file.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if len(fields) != 5 or not all(field.isdecimal() for field in fields):
            raise DataError(
                f"{path}, line {number}: {line!r} should be five whole numbers: modality, first, last, person, camera."
            )
        row = InfoRow(*map(int, fields))
        if row.modality not in (INFRARED_CODE, VISIBLE_CODE):
            raise DataError(f"{path}, line {number}: modality {row.modality}; known are 1 (infrared) and 2 (visible).")
        if not 1 <= row.first <= row.last <= name_count:
            raise DataError(
                f"{path}, line {number}: frames {row.first} to {row.last} are not lines of the name file, which has "
                f"{name_count} lines; the info files are damaged or of different releases."
            )
        rows.append(row)
    return rows


def read_query(path: Path, row_count: int) -> list[int]:
    """Read `query_IDX.txt`: 1-based row numbers of `track_test_info.txt`, over any number of lines.

    Raises:
        DataError: the file is empty, something in it is not a row number, or a row is listed twice.
    """
    lines = read_lines(path)
    for number, line in enumerate(lines, start=1):
        for field in line.split():
            if not field.isdecimal() or not 1 <= int(field) <= row_count:
                raise DataError(
                    f"{path}, line {number}: {field!r} is no row of track_test_info.txt, which has {row_count} rows."
                )
    query = [int(field) for field in chain.from_iterable(line.split() for line in lines)]
    if not query:
        raise DataError(f"{path} is empty, so that nobody is looked for; unpack the info archive again.")
    if len(set(query)) < len(query):
        twice = next(row for row in query if query.count(row) > 1)
        raise DataError(f"{path}: row {twice} is listed more than once.")
    return query
