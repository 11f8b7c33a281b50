"""Tracklets from folders of frames and from videos with boxes."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from opengait.data.frames import FrameSource, ImageFrames
from opengait.errors import ConfigError, DataError
from opengait_ext.data import Modality

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
        name: the folder relative to what was asked for, or `<video>#<track>`.
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
    boxes: str | Path | None = None,
) -> list[Clip]:
    """Every tracklet in the inputs, in order.

    Args:
        inputs: folders, of which each one with pictures in it is a tracklet, and videos.
        size: (height, width) of the frames handed out.
        modality: of all of them; None reads it from the folders' names (visible, rgb, ir, infrared, ...).
        boxes: for videos, a CSV file with the columns frame (from 0), track, x, y, w, h in pixels.

    Raises:
        ConfigError: an unknown modality, or a video without boxes.
        DataError: an input is missing, has no frames, or tells no modality.
    """
    clips: list[Clip] = []
    for item in map(Path, inputs):
        if item.is_dir():
            clips += _folder_clips(item, size, modality)
        elif item.is_file() and item.suffix.lower() in VIDEOS:
            clips += _video_clips(item, size, modality, boxes)
        elif item.exists():
            raise DataError(f"{item} is neither a folder of frames nor a video ({', '.join(VIDEOS)}).")
        else:
            raise DataError(f"{item} does not exist; give a folder of frames or a video.")
    return clips


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


def _folder_clips(root: Path, size: tuple[int, int], modality: str | None) -> list[Clip]:
    folders = [folder for folder in [root, *sorted(p for p in root.rglob("*") if p.is_dir())] if pictures_in(folder)]
    if not folders:
        raise DataError(f"{root} holds no frames ({', '.join(PICTURES)}), nor does any folder in it.")
    clips = []
    for folder in folders:
        name = root.name if folder == root else folder.relative_to(root).as_posix()
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


def _video_clips(video: Path, size: tuple[int, int], modality: str | None, boxes: str | Path | None) -> list[Clip]:
    if boxes is None:
        raise ConfigError(f"{video} needs boxes: a CSV file with the columns {', '.join(COLUMNS)}, given by --boxes.")
    tracks = read_boxes(Path(boxes))
    kind = modality_of(video.absolute().with_suffix(""), modality)
    return [Clip(f"{video.name}#{track}", kind, VideoFrames(video, rows, size)) for track, rows in tracks.items()]


def read_boxes(path: Path) -> dict[str, list[tuple[int, int, int, int, int]]]:
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


def _box(row: dict, where: str) -> tuple[int, int, int, int, int]:
    try:
        frame, *box = (round(float(row[column])) for column in ("frame", "x", "y", "w", "h"))
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} holds no numbers for frame, x, y, w and h.") from error
    if frame < 0 or box[2] < 1 or box[3] < 1:
        raise DataError(f"{where} is no box: frame {frame}, {box[2]} wide and {box[3]} high.")
    return frame, *box


class VideoFrames:
    """The boxes of one track of a video as frames, uint8 (k, 3, h, w), RGB; only the asked frames are kept.

    Args:
        path: the video.
        boxes: (frame, x, y, w, h), by frame.
        size: (height, width) of every frame handed out.
    """

    def __init__(self, path: Path, boxes: Sequence[tuple[int, int, int, int, int]], size: tuple[int, int]) -> None:
        self.path = path
        self.boxes = list(boxes)
        self.size = size

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the asked boxes.

        Raises:
            DataError: the video cannot be read, ends before a frame, or a box lies outside.
        """
        wanted: dict[int, list[int]] = {}
        for place, index in enumerate(indices):
            wanted.setdefault(self.boxes[index][0], []).append(place)
        height, width = self.size
        out = np.empty((len(indices), 3, height, width), dtype=np.uint8)
        for frame, picture in self._read(sorted(wanted)):
            for place in wanted[frame]:
                out[place] = self._cut(picture, self.boxes[indices[place]]).transpose(2, 0, 1)
        return out

    def _read(self, frames: list[int]) -> Iterable[tuple[int, np.ndarray]]:
        # Seeking in compressed video is not exact with every codec, so frames are counted from the start.
        video = cv2.VideoCapture(str(self.path))
        try:
            at = -1
            for frame in frames:
                while at < frame:
                    if not video.grab():
                        raise DataError(
                            f"{self.path} ends (or is damaged) at frame {at + 1}; a box is of frame {frame}."
                        )
                    at += 1
                known, picture = video.retrieve()
                if not known:
                    raise DataError(f"Frame {frame} of {self.path} cannot be decoded.")
                yield frame, picture[:, :, ::-1]
        finally:
            video.release()

    def _cut(self, picture: np.ndarray, box: tuple[int, int, int, int, int]) -> np.ndarray:
        frame, x, y, w, h = box
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, picture.shape[1]), min(y + h, picture.shape[0])
        if left >= right or top >= bottom:
            raise DataError(f"A box of frame {frame} lies outside {self.path} ({picture.shape[1]}x{picture.shape[0]}).")
        cut = np.ascontiguousarray(picture[top:bottom, left:right])
        smaller = cut.shape[0] > self.size[0]
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return cv2.resize(cut, (self.size[1], self.size[0]), interpolation=method)
