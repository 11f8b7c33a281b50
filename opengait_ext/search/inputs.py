"""Tracklets from folders of frames, from videos with boxes, and from folders in OpenGait's layout."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from opengait_ext.search.boxes import check_boxes, read_boxes
from opengait_ext.search.video import Video, VideoTrack

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm", ".mpg", ".mpeg")
# Words in folder names that identify a modality, including those of HITSZ-VCM and BUPTCampus.
MODALITY_WORDS = {
    Modality.VISIBLE: ("visible", "vis", "rgb"),
    Modality.INFRARED: ("infrared", "ir", "nir", "thermal"),
}
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
        sources: its features; indexing decodes frames.
        folder: the folder of the frames; None for a track of a video.
    """

    name: str
    modality: Modality
    sources: tuple[Any, ...]
    folder: Path | None = None

    @property
    def source(self) -> FrameSource:
        """The first feature, which is shown in figures."""
        return self.sources[0]

    @property
    def video(self) -> Video | None:
        """The video that the clip is a track of; None for a folder of frames."""
        return self.source.video if isinstance(self.source, VideoTrack) else None


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
) -> list[Clip]:
    """Return all tracklets in the inputs, in order.

    Args:
        inputs: folders, in which every folder with frames is a tracklet, and videos.
        kind: what the model takes; (height, width) is short for `Pictures`.
        modality: modality of all tracklets; None reads it from folder names (visible, rgb, ir, infrared, ...).
        boxes: one CSV file per video, in their order; see `read_boxes`.

    Raises:
        ConfigError: the modality is unknown, or the numbers of box files and videos differ.
        DataError: an input is missing, has no frames, or its modality is unknown.
    """
    kind = Pictures(kind) if isinstance(kind, tuple) else kind
    clips: list[Clip] = []
    paths = list(map(Path, inputs))
    check_boxes([path for path in paths if is_video(path)], boxes)
    remaining_boxes = iter(boxes)
    for path in paths:
        if path.is_dir():
            clips += _folder_clips(path, kind, modality, whole_name=len(paths) > 1)
        elif is_video(path):
            if isinstance(kind, Prepared):
                raise DataError(f"{path} is a video, but expected {kind.wanted}.")
            clips += _video_clips(path, kind.size, modality, Path(next(remaining_boxes)))
        elif path.exists():
            raise DataError(f"{path} is neither a folder of frames nor a video ({', '.join(VIDEOS)}).")
        else:
            raise DataError(f"{path} does not exist; give a folder of frames or a video.")
    return clips


def is_video(path: Path) -> bool:
    """Return whether a path is an existing video file."""
    return path.is_file() and path.suffix.lower() in VIDEOS


def modality_of(path: Path, root: Path, given: str | None) -> Modality:
    """Return the given modality, or that which the nearest folder name from `path` up to the input `root` indicates.

    Below the input a word in a name suffices (`cam1_ir`). The input itself and its parent must be named after a
    modality (`rgb/D1`, as in HITSZ-VCM), and folders above say nothing, since they may name anything.

    Raises:
        ConfigError: the given modality is unknown.
        DataError: no folder name indicates a modality.
    """
    if given is not None:
        if given not in list(Modality):
            raise ConfigError(f"The modality {given!r} is unknown; choose {' or '.join(Modality)}.")
        return Modality(given)
    named = _modality_below(path, root) or _modality_at(root)
    if named is None:
        raise DataError(
            f"The modality of {path} is unknown; give --modality, or name a folder in {root} visible or infrared."
        )
    return named


def _modality_below(path: Path, root: Path) -> Modality | None:
    names = reversed(path.relative_to(root).parts)
    return _first_modality(set(name.lower().replace("-", "_").split("_")) for name in names)


def _modality_at(root: Path) -> Modality | None:
    root = root.absolute()
    return _first_modality({name.lower()} for name in (root.name, root.parent.name))


def _first_modality(names: Iterable[set[str]]) -> Modality | None:
    for words in names:
        modalities = [modality for modality, known in MODALITY_WORDS.items() if words & set(known)]
        if len(modalities) == 1:
            return modalities[0]
    return None


def _folder_clips(root: Path, kind: Pictures | Prepared, modality: str | None, whole_name: bool) -> list[Clip]:
    clips: list[Clip] = []
    for folder in walk_folders(root):
        sources = kind.sources(folder)
        if sources:
            # Relative names of several inputs could coincide.
            name = folder.as_posix() if whole_name or folder == root else folder.relative_to(root).as_posix()
            clip = Clip(name, modality_of(folder, root, modality), sources, folder.absolute())
            if not clips and modality is None and _modality_below(folder, root) is None:
                _check_colours(clip)
            clips.append(clip)
    if not clips:
        raise DataError(f"Neither {root} nor any folder in it holds {kind.wanted}.")
    return clips


def _check_colours(clip: Clip) -> None:
    """Refuse coloured frames as infrared if only a name outside the input says so; costs the decoding of one frame."""
    if clip.modality is Modality.INFRARED and isinstance(clip.source, ImageFrames | VideoTrack):
        frame = clip.source[[0]][0].astype(int)
        if np.abs(frame - frame.mean(axis=0)).mean() > COLOURED:
            raise DataError(f"{clip.name} has colours, but its name or its folder says infrared; give --modality.")


def _video_clips(path: Path, size: tuple[int, int], modality: str | None, boxes: Path) -> list[Clip]:
    tracks = read_boxes(boxes)
    kind = modality_of(path.with_suffix(""), path.with_suffix(""), modality)
    video = Video(path, size)
    clips = [Clip(f"{path.name}#{track}", kind, (VideoTrack(video, rows),)) for track, rows in tracks.items()]
    if modality is None:
        _check_colours(clips[0])
    return clips


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
