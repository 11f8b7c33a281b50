"""Tracklets from folders of frames and from videos with boxes."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from opengait.data.frames import FrameSource, ImageFrames
from opengait.errors import ConfigError, DataError
from opengait_ext.data import Modality
from opengait_ext.search.video import Box, Video, VideoFrames

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm", ".mpg", ".mpeg")
COLUMNS = ("frame", "track", "x", "y", "w", "h")
# What folders of the two modalities are called; HITSZ-VCM's and BUPTCampus's are among them.
WORDS = {
    Modality.VISIBLE: ("visible", "vis", "rgb"),
    Modality.INFRARED: ("infrared", "ir", "nir", "thermal"),
}


@dataclass(frozen=True)
class Clip:
    """One tracklet to describe.

    Attributes:
        name: the folder, relative to the input where that is the only one, or `<video>#<track>`.
        modality: visible or infrared.
        source: decodes frames, uint8 (k, 3, h, w).
        folder: where the frames lie; None for a video's.
    """

    name: str
    modality: Modality
    source: FrameSource
    folder: Path | None = None


def find_clips(
    inputs: Iterable[str | Path],
    size: tuple[int, int],
    modality: str | None = None,
    boxes: Sequence[str | Path] = (),
) -> list[Clip]:
    """Every tracklet in the inputs, in order.

    Args:
        inputs: folders, of which each one with pictures in it is a tracklet, and videos.
        size: (height, width) of the frames handed out.
        modality: of all of them; None reads it from the folders' names (visible, rgb, ir, infrared, ...).
        boxes: a CSV file for each of the videos, in their order, with the columns frame (from 0), track, x, y, w, h in
            pixels.

    Raises:
        ConfigError: an unknown modality, or not as many files of boxes as videos.
        DataError: an input is missing, has no frames, or tells no modality.
    """
    clips: list[Clip] = []
    inputs = list(map(Path, inputs))
    check_boxes([item for item in inputs if is_video(item)], boxes)
    left = iter(boxes)
    for item in inputs:
        if item.is_dir():
            clips += _folder_clips(item, size, modality, whole_name=len(inputs) > 1)
        elif is_video(item):
            clips += _video_clips(item, size, modality, Path(next(left)))
        elif item.exists():
            raise DataError(f"{item} is neither a folder of frames nor a video ({', '.join(VIDEOS)}).")
        else:
            raise DataError(f"{item} does not exist; give a folder of frames or a video.")
    return clips


def is_video(path: Path) -> bool:
    """Whether a file is there whose name is a video's."""
    return path.is_file() and path.suffix.lower() in VIDEOS


def check_boxes(videos: Sequence[Path], boxes: Sequence[str | Path]) -> None:
    """See that each video has its file of boxes.

    Raises:
        ConfigError: there are more or fewer files than videos.
    """
    if len(boxes) < len(videos):
        columns = ", ".join(COLUMNS)
        raise ConfigError(
            f"{videos[len(boxes)]} needs boxes: a CSV file with the columns {columns}, given by --boxes (one for each "
            f"video, in their order)."
        )
    if len(boxes) > len(videos):
        raise ConfigError(f"{boxes[len(videos)]} holds boxes, but only {len(videos)} videos are given; leave it out.")


def modality_of(path: Path, given: str | None) -> Modality:
    """The modality that is given, or that the nearest folder's name tells.

    Raises:
        ConfigError: an unknown one is given.
        DataError: no name tells it.
    """
    if given is not None:
        if given not in list(Modality):
            raise ConfigError(f"The modality {given!r} is unknown; choose {' or '.join(Modality)}.")
        return Modality(given)
    for part in reversed(path.parts):
        words = part.lower().replace("-", "_").split("_")
        found = [kind for kind, names in WORDS.items() if set(words) & set(names)]
        if len(found) == 1:
            return found[0]
    raise DataError(
        f"No folder in {path} tells whether it is visible or infrared; call one visible or infrared, "
        f"or give --modality."
    )


def _folder_clips(root: Path, size: tuple[int, int], modality: str | None, whole_name: bool) -> list[Clip]:
    folders = [folder for folder in [root, *sorted(p for p in root.rglob("*") if p.is_dir())] if pictures_in(folder)]
    if not folders:
        raise DataError(f"{root} holds no frames ({', '.join(PICTURES)}), nor does any folder in it.")
    clips = []
    for folder in folders:
        # Of several inputs, the same place in each would have the same name.
        name = folder.as_posix() if whole_name or folder == root else folder.relative_to(root).as_posix()
        kind = modality_of(folder.absolute(), modality)
        clips.append(Clip(name, kind, ImageFrames(pictures_in(folder), size), folder.absolute()))
    return clips


def pictures_in(folder: Path) -> list[Path]:
    """The frames directly in a folder, frame 2 before frame 10."""
    files = (p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith(".") and p.is_file())
    return sorted(files, key=lambda p: _numbered(p.stem))


def _numbered(name: str) -> tuple:
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    return [int(run) for run in digits], name


def _video_clips(path: Path, size: tuple[int, int], modality: str | None, boxes: Path) -> list[Clip]:
    tracks = read_boxes(boxes)
    kind = modality_of(path.absolute().with_suffix(""), modality)
    video = Video(path, size)
    return [Clip(f"{path.name}#{track}", kind, VideoFrames(video, rows)) for track, rows in tracks.items()]


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """`{track: [(frame, x, y, w, h), ...]}`, by frame, tracks in the order of the file.

    Raises:
        DataError: the file is missing, lacks a column, or a row holds no box.
    """
    tracks: dict[str, list] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
            if missing:
                raise DataError(f"{path} has no column {missing[0]!r}; boxes need {', '.join(COLUMNS)}.")
            for number, row in enumerate(rows, start=2):
                tracks.setdefault(str(row["track"]), []).append(_box(row, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the boxes {path}: {getattr(error, 'strerror', None) or error}.") from error
    if not tracks:
        raise DataError(f"{path} has no boxes.")
    return {track: sorted(rows) for track, rows in tracks.items()}


def _box(row: dict, where: str) -> Box:
    try:
        frame, *box = (round(float(row[column])) for column in ("frame", "x", "y", "w", "h"))
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} holds no numbers for frame, x, y, w and h.") from error
    if frame < 0 or box[2] < 1 or box[3] < 1:
        raise DataError(f"{where} is no box: frame {frame}, {box[2]} wide and {box[3]} high.")
    return frame, *box
