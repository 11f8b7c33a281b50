"""Tracklets from folders of frames and from videos with boxes."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from opengait.data.frames import ImageFrames
from opengait.errors import ConfigError, DataError
from opengait_ext.data import Modality
from opengait_ext.search.video import Box, Video, VideoTrack

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm", ".mpg", ".mpeg")
COLUMNS = ("frame", "track", "x", "y", "w", "h")
# Words in folder names that identify a modality, including those of HITSZ-VCM and BUPTCampus.
MODALITY_WORDS = {
    Modality.VISIBLE: ("visible", "vis", "rgb"),
    Modality.INFRARED: ("infrared", "ir", "nir", "thermal"),
}


@dataclass(frozen=True)
class Clip:
    """One tracklet to describe.

    Attributes:
        name: the folder, relative to the input if that is the only one, or `<video>#<track>`.
        modality: visible or infrared.
        source: decodes frames, uint8 (k, 3, h, w).
        folder: the folder of the frames; None for a track of a video.
    """

    name: str
    modality: Modality
    source: ImageFrames | VideoTrack
    folder: Path | None = None

    @property
    def video(self) -> Video | None:
        """The video that the clip is a track of; None for a folder of frames."""
        return self.source.video if isinstance(self.source, VideoTrack) else None


def find_clips(
    inputs: Iterable[str | Path],
    size: tuple[int, int],
    modality: str | None = None,
    boxes: Sequence[str | Path] = (),
) -> list[Clip]:
    """Return all tracklets in the inputs, in order.

    Args:
        inputs: videos, and folders in which every folder with pictures is a tracklet.
        size: (height, width) to which frames are resized.
        modality: modality of all tracklets; None reads it from folder names (visible, rgb, ir, infrared, ...).
        boxes: one CSV file per video, in their order, with the columns frame (from 0), track, x, y, w, h in pixels.

    Raises:
        ConfigError: the modality is unknown, or the numbers of box files and videos differ.
        DataError: an input is missing, has no frames, or its modality is unknown.
    """
    clips: list[Clip] = []
    paths = list(map(Path, inputs))
    check_boxes([path for path in paths if is_video(path)], boxes)
    remaining_boxes = iter(boxes)
    for path in paths:
        if path.is_dir():
            clips += _folder_clips(path, size, modality, whole_name=len(paths) > 1)
        elif is_video(path):
            clips += _video_clips(path, size, modality, Path(next(remaining_boxes)))
        elif path.exists():
            raise DataError(f"{path} is neither a folder of frames nor a video ({', '.join(VIDEOS)}).")
        else:
            raise DataError(f"{path} does not exist; give a folder of frames or a video.")
    return clips


def is_video(path: Path) -> bool:
    """Return whether a path is an existing video file."""
    return path.is_file() and path.suffix.lower() in VIDEOS


def check_boxes(videos: Sequence[Path], boxes: Sequence[str | Path]) -> None:
    """Check that each video has a file of boxes.

    Raises:
        ConfigError: the numbers of files and videos differ.
    """
    if len(boxes) < len(videos):
        columns = ", ".join(COLUMNS)
        raise ConfigError(
            f"{videos[len(boxes)]} needs boxes: give --boxes a CSV file with the columns {columns} for each video, in "
            f"the order of the videos."
        )
    if len(boxes) > len(videos):
        raise ConfigError(
            f"{boxes[len(videos)]} has no video: got {len(boxes)} files of boxes for {len(videos)} videos."
        )


def modality_of(path: Path, given: str | None) -> Modality:
    """Return the given modality, or the one that the name of the nearest folder indicates.

    Raises:
        ConfigError: the given modality is unknown.
        DataError: no folder name indicates a modality.
    """
    if given is not None:
        if given not in list(Modality):
            raise ConfigError(f"The modality {given!r} is unknown; choose {' or '.join(Modality)}.")
        return Modality(given)
    for part in reversed(path.parts):
        words = part.lower().replace("-", "_").split("_")
        modalities = [modality for modality, names in MODALITY_WORDS.items() if set(words) & set(names)]
        if len(modalities) == 1:
            return modalities[0]
    raise DataError(
        f"The modality of {path} is unknown; give --modality, or name one of its folders visible or infrared."
    )


def _folder_clips(root: Path, size: tuple[int, int], modality: str | None, whole_name: bool) -> list[Clip]:
    folders = [folder for folder in [root, *sorted(p for p in root.rglob("*") if p.is_dir())] if pictures_in(folder)]
    if not folders:
        raise DataError(f"Neither {root} nor any folder in it holds frames ({', '.join(PICTURES)}).")
    clips = []
    for folder in folders:
        # Relative names of several inputs could coincide.
        name = folder.as_posix() if whole_name or folder == root else folder.relative_to(root).as_posix()
        kind = modality_of(folder.absolute(), modality)
        clips.append(Clip(name, kind, ImageFrames(pictures_in(folder), size), folder.absolute()))
    return clips


def pictures_in(folder: Path) -> list[Path]:
    """Return the frames directly in a folder, frame 2 before frame 10."""
    files = (p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith(".") and p.is_file())
    return sorted(files, key=lambda p: _numbered(p.stem))


def _numbered(name: str) -> tuple:
    digits = "".join(c if c.isdecimal() else " " for c in name).split()
    return [int(run) for run in digits], name


def _video_clips(path: Path, size: tuple[int, int], modality: str | None, boxes: Path) -> list[Clip]:
    tracks = read_boxes(boxes)
    kind = modality_of(path.absolute().with_suffix(""), modality)
    video = Video(path, size)
    return [Clip(f"{path.name}#{track}", kind, VideoTrack(video, rows)) for track, rows in tracks.items()]


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Return `{track: [(frame, x, y, w, h), ...]}`, sorted by frame, with tracks in the order of the file.

    Raises:
        DataError: the file is missing or lacks a column, or a row is not a valid box.
    """
    tracks: dict[str, list[Box]] = {}
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


def _box(row: dict[str, str], line: str) -> Box:
    try:
        frame, x, y, w, h = (round(float(row[column])) for column in ("frame", "x", "y", "w", "h"))
    except (TypeError, ValueError) as error:
        raise DataError(f"{line}: expected numbers for frame, x, y, w and h.") from error
    if frame < 0 or w < 1 or h < 1:
        raise DataError(f"{line} is not a valid box: frame {frame}, width {w}, height {h}.")
    return frame, x, y, w, h
