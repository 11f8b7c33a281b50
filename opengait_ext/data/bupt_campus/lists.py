"""BUPTCampus's text files: `data_paths.json`, which knows every frame, and the lists, which say who is in a split."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.errors import DataError

# The public code's numbers of the cameras.
CAMERAS = {"LS3": 0, "G25": 1, "CQ1": 2, "W4": 3, "TSG1": 4, "TSG2": 5}
VISIBLE_CODE, INFRARED_CODE, PAIR_CODE = "RGB", "IR", "RGB/IR"
README = "datasets/BUPTCampus/README.md"


@dataclass(frozen=True)
class ListRow:
    """One line of a list file; `number` is its 1-based place in the file."""

    person: str
    modality: str
    camera: str
    track: str
    number: int


def read_list(path: Path, codes: tuple[str, ...]) -> list[ListRow]:
    """Read `train.txt`, `train_auxiliary.txt`, `query.txt` or `gallery.txt`.

    Args:
        path: the file.
        codes: modalities that its rows may have: `RGB/IR` is an aligned pair, `RGB` and `IR` one tracklet.

    Raises:
        DataError: the file is missing or empty, or a row has another form or is there twice; the message gives the
            line.
    """
    rows: list[ListRow] = []
    for number, line in enumerate(read_text(path).rstrip().split("\n"), start=1):
        fields = line.split()
        if len(fields) != 4 or not fields[0].isdecimal():
            raise DataError(
                f"{path}, line {number}: {line.strip()!r} should be four fields, person, modality, camera and track, "
                f"such as {f'1746 {codes[0]} TSG2 1'!r}."
            )
        row = ListRow(*fields, number=number)
        if row.modality not in codes:
            raise DataError(f"{path}, line {number}: modality {row.modality}; this list has {' and '.join(codes)}.")
        if row.camera not in CAMERAS:
            raise DataError(f"{path}, line {number}: camera {row.camera}; known are {', '.join(CAMERAS)}.")
        rows.append(row)
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = (row.person, row.modality, row.camera, row.track)
        if key in seen:
            raise DataError(f"{path}, line {row.number}: the same tracklet as in line {seen[key]}; remove one of them.")
        seen[key] = row.number
    return rows


def read_paths(path: Path) -> dict[str, Any]:
    """Read `data_paths.json`: person -> `IR` or `RGB` -> camera -> track -> frame files below `DATA/`, in time order.

    Raises:
        DataError: the file is missing, or is no JSON object.
    """
    text = read_text(path)
    try:
        paths = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); it may be cut short, unpack it again.") from None
    if not isinstance(paths, dict):
        raise DataError(f"{path} holds a {type(paths).__name__}; wanted is an object of persons.")
    return paths


def frames_of(paths: dict[str, Any], row: ListRow, modality: str, list_file: Path) -> tuple[str, ...]:
    """The frame files of a row in one modality, relative to `DATA/`.

    Raises:
        DataError: `data_paths.json` does not know them, or knows none; the message gives the list's line.
    """
    frames: Any = paths
    for key in (row.person, modality, row.camera, row.track):
        frames = frames.get(key) if isinstance(frames, dict) else None
    where = f"{modality} tracklet {row.track} of person {row.person} at camera {row.camera}"
    if frames is None:
        lone = f" the pair lacks its {modality} half," if row.modality == PAIR_CODE and row.person in paths else ""
        raise DataError(
            f"{list_file}, line {row.number}:{lone} data_paths.json has no {where}; the two files are of different "
            f"releases, or the line is wrong."
        )
    if not isinstance(frames, list) or not all(isinstance(frame, str) for frame in frames):
        raise DataError(f"data_paths.json, {where}: wanted is a list of frame files.")
    if not frames:
        raise DataError(
            f"{list_file}, line {row.number}: the {where} is empty in data_paths.json; remove the line or unpack the "
            f"data again."
        )
    return tuple(frames)


def read_text(path: Path) -> str:
    """The content of a text file that is not empty.

    Raises:
        DataError: it is missing, empty or no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows put a mark before it
    except FileNotFoundError:
        raise DataError(f"{path} is missing; it comes with BUPTCampus and goes beside DATA/ (see {README}).") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if not text.strip():
        raise DataError(f"{path} is empty; unpack it again.")
    return text
