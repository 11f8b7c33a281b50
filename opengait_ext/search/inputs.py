"""Tracklets from folders of frames, from videos with boxes, and from folders in OpenGait's layout."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from opengait.data.folders import files_in, walk_folders
from opengait.data.frames import FrameSource, ImageFrames, PickledFrames
from opengait.data.layout import files_in_use
from opengait.data.packs.write import IMAGES
from opengait.errors import ConfigError, DataError
from opengait_ext.data import Modality
from opengait_ext.runs.silhouettes.image_files import read_grey
from opengait_ext.runs.silhouettes.opengait_silhouettes import align_all
from opengait_ext.runs.silhouettes.panels import as_pictures
from opengait_ext.search.boxes import boxes_for, read_boxes
from opengait_ext.search.decode import check_number
from opengait_ext.search.modality import modality_of, named_below
from opengait_ext.search.thumbnails import thumbnail_of
from opengait_ext.search.video import Video, VideoTrack

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm", ".mpg", ".mpeg")
# A silhouette is black and white except along its contour.
SILHOUETTE_SHARE = 0.8
# Mean distance of red, green and blue from their mean, of 255; that of grey frames is far below, also after JPEG.
COLOURED = 4


@dataclass(frozen=True)
class Clip:
    """One tracklet to describe.

    Attributes:
        name: the folder, relative to the input if that is the only one, or `<video>#<track>`.
        modality: visible or infrared.
        features: its frames, once per feature of the model; indexing decodes.
        source: absolute path of the folder or the video.
        track: its number or name among the boxes of a video; "" for a folder of frames.
        start_seconds, end_seconds: when it is first and last seen, from the start of the video; None for folders.
    """

    name: str
    modality: Modality
    features: tuple[Any, ...]
    source: str = ""
    track: str = ""
    start_seconds: float | None = None
    end_seconds: float | None = None

    @property
    def frames(self) -> FrameSource:
        """The first feature, which is shown in figures."""
        return self.features[0]

    @property
    def video(self) -> Video | None:
        """The video that the clip is a track of; None for a folder of frames."""
        return self.frames.video if isinstance(self.frames, VideoTrack) else None

    @property
    def folder(self) -> Path | None:
        """The folder of the frames; None for a track of a video."""
        return Path(self.source) if self.source and not self.track else None

    @cached_property
    def thumbnail(self) -> bytes:
        """A frame as a small JPEG; b"" for features that are not pictures.

        Once a track of a video was described, this decodes nothing more.

        Raises:
            DataError: the frame cannot be read.
        """
        if isinstance(self.frames, VideoTrack):
            return self.frames.thumbnail
        middle = len(self.frames) // 2
        if isinstance(self.frames, ImageFrames):
            return thumbnail_of(self.frames.picture(middle))
        frame = np.asarray(self.frames[[middle]])
        return thumbnail_of(as_pictures(frame, self.name)[0]) if frame.dtype == np.uint8 else b""


class Pictures:
    """The input of models on RGB frames: pictures of any size, and videos.

    Args:
        size: (height, width) to which frames are resized.
    """

    wanted = f"frames ({', '.join(IMAGES)})"

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def sources(self, folder: Path) -> tuple[Any, ...]:
        """Return the features of the tracklet in a folder; none if it holds no tracklet."""
        files = [file for file in files_in(folder, IMAGES) if file.is_file()]
        return (ImageFrames(files, self.size),) if files else ()


class Prepared:
    """The input of models on data in OpenGait's layout: folders of .pkl files, one file per feature.

    Args:
        model: name of the model, for messages.
        data_in_use: the files to use, as in a configuration.
        silhouettes: whether the model takes silhouettes of 64 x 64, so that pictures of silhouettes can be aligned.
    """

    def __init__(self, model: str, data_in_use: list | None = None, silhouettes: bool = False) -> None:
        self.model = model
        self.data_in_use = data_in_use
        self.silhouettes = silhouettes
        kinds = "silhouettes (.pkl or pictures)" if silhouettes else "prepared .pkl files"
        self.wanted = f"{kinds}, which {model} takes"

    def sources(self, folder: Path) -> tuple[Any, ...]:
        """Return the features of the tracklet in a folder; none if it holds no tracklet.

        Raises:
            DataError: the folder holds pictures that the model cannot take.
        """
        files = sorted(files_in(folder, [".pkl"]))
        if files:
            return tuple(PickledFrames(file) for file in files_in_use(files, self.data_in_use))
        pictures = [file for file in files_in(folder, IMAGES) if file.is_file()]
        if pictures and not self.silhouettes:
            raise DataError(f"{folder} holds pictures; {self.model} takes {self.wanted.partition(',')[0]}.")
        return (SilhouettePictures(pictures, self.model),) if pictures else ()


class SilhouettePictures:
    """Pictures of silhouettes as a frame source of uint8 (k, 64, 64), aligned as in OpenGait's preparation.

    All are read on first use, since the almost empty ones do not count.
    """

    def __init__(self, files: Sequence[Path], model: str) -> None:
        self.files = files
        self.model = model
        self._frames: np.ndarray | None = None

    def load(self) -> np.ndarray:
        """Read and align all silhouettes.

        Raises:
            DataError: a file is not a silhouette, or all are empty.
        """
        if self._frames is None:
            self._frames = align_all(map(self._silhouette, self.files), soft=False)
            if not len(self._frames):
                raise DataError(f"The silhouettes in {self.files[0].parent} are empty.")
        return self._frames

    def _silhouette(self, file: Path) -> np.ndarray:
        picture = read_grey(file)
        self.check(picture, file, self.model)
        return picture

    @staticmethod
    def check(picture: np.ndarray, name: str | Path, model: str) -> None:
        """Check that a picture, uint8 (h, w), is black and white.

        Raises:
            DataError: it is not; the message has its name and the model's.
        """
        if np.mean((picture < 32) | (picture > 223)) < SILHOUETTE_SHARE or picture.max() == 1:
            raise DataError(
                f"{name} is not a silhouette: expected black and white, 0 and 255. {model} takes silhouettes; "
                f"vvi export-silhouettes writes them."
            )

    def __len__(self) -> int:
        return len(self.load())

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        return self.load()[np.asarray(indices, dtype=np.intp)]


def find_clips(
    inputs: Iterable[str | Path],
    kind: Pictures | Prepared | tuple[int, int],
    modality: str | None = None,
    boxes: Sequence[str | Path] = (),
    between: Sequence[float] | None = None,
) -> list[Clip]:
    """Return all tracklets in the inputs, in order.

    Args:
        inputs: folders, in which every folder with frames is a tracklet, videos, and single tracks (`clip.avi#37`).
        kind: what the model takes; (height, width) is short for `Pictures`.
        modality: modality of all tracklets; None reads it from folder names (visible, rgb, ir, infrared, ...).
        boxes: one file per video, in their order, see `read_boxes`; by default those that `vvi track` wrote.
        between: seconds of the videos' part that counts, from the first up to the second; None for all.

    Raises:
        ConfigError: the modality is unknown, or the numbers of box files and videos differ.
        DataError: an input is missing, has no frames, or its modality is unknown.
    """
    kind = Pictures(kind) if isinstance(kind, tuple) else kind
    clips: list[Clip] = []
    paths = list(map(split_track, inputs))
    videos = list(dict.fromkeys(path for path, _ in paths if is_video(path)))
    if videos and isinstance(kind, Prepared):
        raise DataError(f"{videos[0]} is a video, but expected {kind.wanted}.")
    box_files = dict(zip(videos, boxes_for(videos, boxes), strict=True))
    tracks: dict[Path, dict[str, Clip]] = {}
    for path, track in paths:
        if path.is_dir():
            clips += _folder_clips(path, kind, modality, whole_name=len(paths) > 1)
        elif path in box_files and isinstance(kind, Pictures):
            if path not in tracks:
                name = path.name if len({video.name for video in videos}) == len(videos) else path.as_posix()
                tracks[path] = _video_clips(path, name, kind.size, modality, box_files[path], between)
            clips += _chosen(tracks[path], track, box_files[path])
        elif path.exists():
            raise DataError(f"{path} is neither a folder of frames nor a video ({', '.join(VIDEOS)}).")
        else:
            raise DataError(f"{path} does not exist; give a folder of frames, a video, or a track of one (a.mp4#3).")
    return clips


def split_track(given: str | Path) -> tuple[Path, str]:
    """Return the path and the track of an input such as `clip.avi#37`; the track is "" for anything else."""
    path, text = Path(given), str(given)
    if not path.exists():
        for match in re.finditer("#", text):
            video = Path(text[: match.start()])
            if is_video(video):
                return video, text[match.end() :]
    return path, ""


def is_video(path: Path) -> bool:
    """Return whether a path is an existing video file."""
    return path.is_file() and path.suffix.lower() in VIDEOS


def _folder_clips(root: Path, kind: Pictures | Prepared, modality: str | None, whole_name: bool) -> list[Clip]:
    clips: list[Clip] = []
    for folder in walk_folders(root):
        sources = kind.sources(folder)
        if sources:
            # Relative names of several inputs could coincide.
            name = folder.as_posix() if whole_name or folder == root else folder.relative_to(root).as_posix()
            clip = Clip(name, modality_of(folder, root, modality), sources, str(folder.absolute()))
            if not clips and modality is None and named_below(folder, root) is None:
                _check_colours(clip)
            clips.append(clip)
    if not clips:
        raise DataError(f"Neither {root} nor any folder in it holds {kind.wanted}.")
    return clips


def _check_colours(clip: Clip) -> None:
    """Refuse coloured frames as infrared if only a name outside the input says so; costs the decoding of one frame."""
    if clip.modality is Modality.INFRARED and isinstance(clip.frames, ImageFrames | VideoTrack):
        frame = clip.frames[[0]][0].astype(int)
        if np.abs(frame - frame.mean(axis=0)).mean() > COLOURED:
            raise DataError(f"{clip.name} has colours, but its name or its folder says infrared; give --modality.")


def _video_clips(
    path: Path,
    name: str,
    size: tuple[int, int],
    modality: str | None,
    boxes: Path,
    between: Sequence[float] | None,
) -> dict[str, Clip]:
    """Return the tracks of a video, or the parts of them in a part of the video."""
    kind = modality_of(path.with_suffix(""), path.with_suffix(""), modality)
    video = Video(path, size)
    times = video.reader.times
    first, last = (0, len(times)) if between is None else np.searchsorted(times, between)
    clips = {}
    for track, rows in read_boxes(boxes, path.name).inside(video.reader.size).tracks.items():
        check_number(path, int(rows[-1, 0]), len(times))
        rows = rows[(rows[:, 0] >= first) & (rows[:, 0] < last)]
        if len(rows):
            seen = times[rows[[0, -1], 0]].tolist()
            clips[track] = Clip(f"{name}#{track}", kind, (VideoTrack(video, rows),), str(path.absolute()), track, *seen)
    if not clips:
        raise DataError(f"{boxes} has no box in frames {first} to {last - 1} of {path}, counted from 0.")
    if modality is None:
        _check_colours(next(iter(clips.values())))
    return clips


def _chosen(tracks: Mapping[str, Clip], track: str, boxes: Path) -> list[Clip]:
    """Return one track of a video, or all for the name ""."""
    if track and track not in tracks:
        known = ", ".join(list(tracks)[:10]) + ", ..." * (len(tracks) > 10)
        raise DataError(f"{boxes} has no track {track!r}; its {len(tracks)} tracks are {known}.")
    return [tracks[track]] if track else list(tracks.values())


def kind_of(config: Mapping[str, Any]) -> Pictures | Prepared:
    """Return what the model of a configuration takes in a test.

    Raises:
        ConfigError: it takes something that footage does not have, such as masks of another network.
    """
    from opengait import registry
    from opengait_ext.data.readers import CrossModalDataSet, frame_size_of

    model = str(config["model_cfg"].get("model"))
    data_cfg = config["data_cfg"] if isinstance(config["data_cfg"], Mapping) else config["data_cfg"][0]
    reader = registry.datasets.get(data_cfg.get("reader") or "DataSet")
    if data_cfg.get("mask_root"):
        raise ConfigError(f"This {model} reads masks of another network (data_cfg.mask_root), which footage lacks.")
    if isinstance(reader, type) and issubclass(reader, CrossModalDataSet):
        return Pictures(frame_size_of(data_cfg))
    transforms = config["evaluator_cfg"]["transform"]
    cuts = len(transforms) == 1 and transforms[0].get("type") == "BaseSilCuttingTransform"
    return Prepared(model, data_cfg.get("data_in_use"), cuts)
