"""Crops and tracklets that a program holds in memory, as clips to describe."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from opengait.data.deep_pixels import LEVEL_FRAMES, levels_of, sampled, to_bytes
from opengait.data.frames import ImageFrames
from opengait.errors import ConfigError, DataError
from opengait_ext.data import Modality
from opengait_ext.runs.silhouettes.opengait_silhouettes import SIZE, align_all
from opengait_ext.search.inputs import Clip, Pictures, Prepared, SilhouettePictures

Crop = np.ndarray | str | Path
Tracklets = np.ndarray | Sequence[Crop | Sequence[Crop]] | str | Path
CHANNELS = ("rgb", "bgr")


class ArrayFrames:
    """Pictures in memory as a frame source of uint8 (k, 3, h, w), RGB, resized bilinearly as files are.

    Args:
        frames: uint8 or uint16, (h, w) or (h, w, 3) each; uint16 is scaled as in `opengait.data.deep_pixels`.
        size: (height, width) of the result.
        bgr: whether colours are in OpenCV's order.
    """

    def __init__(self, frames: Sequence[np.ndarray], size: tuple[int, int], bgr: bool = False) -> None:
        self.frames = frames
        self.size = size
        self.bgr = bgr
        self._levels: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        return np.stack([self._picture(self.frames[index]) for index in indices])

    def _picture(self, frame: np.ndarray) -> np.ndarray:
        if frame.dtype == np.uint16:
            frame = to_bytes(frame, self._scale())
        frame = np.ascontiguousarray(frame[..., ::-1] if self.bgr and frame.ndim == 3 else frame)
        picture = Image.fromarray(frame).convert("RGB")
        if picture.size != self.size[::-1]:
            picture = picture.resize(self.size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(picture).transpose(2, 0, 1)

    def _scale(self) -> tuple[float, float]:
        if self._levels is None:
            numbers = np.linspace(0, len(self) - 1, min(LEVEL_FRAMES, len(self))).round().astype(int)
            self._levels = levels_of([sampled(self.frames[number]) for number in numbers])
        return self._levels


def clips_of(
    tracklets: Tracklets,
    kind: Pictures | Prepared,
    modality: str | Sequence[str] | None = None,
    channels: str | None = None,
) -> list[Clip]:
    """Return crops and tracklets as clips; see `Describer.encode`.

    Raises:
        ConfigError: the modality or the order of the colours is missing or unknown.
        DataError: an entry is not a crop or a tracklet.
    """
    if channels not in (None, *CHANNELS):
        raise ConfigError(f"channels is {channels!r}; expected 'rgb', or 'bgr' as OpenCV decodes pictures.")
    if isinstance(tracklets, str | Path):
        tracklets = [tracklets]
    if isinstance(tracklets, np.ndarray) and tracklets.ndim < 4 and tracklets.shape[-1:] in ((1,), (3,), (4,)):
        raise DataError(f"Expected a list of crops or tracklets, got one array {tracklets.shape}; write [crop].")
    modalities = _modalities(modality, len(tracklets))
    return [
        Clip(f"tracklet {number}", kind_of_camera, (_source(entry, kind, channels, f"Tracklet {number}"),))
        for number, (entry, kind_of_camera) in enumerate(zip(tracklets, modalities, strict=True))
    ]


def blank_shape(kind: Pictures | Prepared) -> tuple[int, ...] | None:
    """Return the shape of a frame of a model's input, (3, h, w) or (64, 64) for silhouettes; None if it is unknown."""
    if isinstance(kind, Pictures):
        return 3, *kind.size
    return (SIZE, SIZE) if kind.silhouettes else None


def _modalities(modality: str | Sequence[str] | None, count: int) -> list[Modality]:
    if modality is None:
        raise ConfigError("This model reads the modality; say modality='visible' or 'infrared', or a list of them.")
    names = [modality] * count if isinstance(modality, str) else list(modality)
    if len(names) != count:
        raise ConfigError(
            f"There are {len(names)} modalities for {count} tracklets; expected one each, or one for all."
        )
    for name in names:
        if name not in list(Modality):
            raise ConfigError(f"The modality {name!r} is unknown; expected {' or '.join(Modality)}.")
    return [Modality(name) for name in names]


def _source(entry: Any, kind: Pictures | Prepared, channels: str | None, name: str) -> Any:
    if isinstance(entry, str | Path) and Path(entry).is_dir():
        sources = kind.sources(Path(entry))
        if len(sources) != 1:
            raise DataError(f"{name}: {entry} holds {len(sources) or 'no'} features; expected {kind.wanted}.")
        return sources[0]
    crops = _crops(entry)
    if not len(crops):
        raise DataError(f"{name} has no frames.")
    files = [isinstance(crop, str | Path) for crop in crops]
    if all(files):
        return _of_files([Path(crop) for crop in crops], kind, name)
    if any(files):
        raise DataError(f"{name} mixes arrays and paths; expected one of the two.")
    return _of_arrays([np.asarray(crop) for crop in crops], kind, channels, name)


def _crops(entry: Any) -> Sequence[Any]:
    """Return the frames of a tracklet; a crop is a tracklet of one frame."""
    if isinstance(entry, str | Path):
        return [entry]
    if isinstance(entry, Iterable) and not hasattr(entry, "__array__"):
        return list(entry)
    array = np.asarray(entry)
    whole = array.ndim < 3 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4))
    return [array] if whole else list(array)


def _of_files(files: list[Path], kind: Pictures | Prepared, name: str) -> Any:
    if isinstance(kind, Pictures):
        return ImageFrames(files, kind.size)
    if not kind.silhouettes:
        raise DataError(f"{name} consists of files; expected the folder of {kind.wanted}.")
    return SilhouettePictures(files, kind.model)


def _of_arrays(frames: list[np.ndarray], kind: Pictures | Prepared, channels: str | None, name: str) -> Any:
    frames = [frame[..., 0] if frame.ndim == 3 and frame.shape[-1] == 1 else frame for frame in frames]
    for frame in frames:
        if frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,)) or not frame.size:
            raise DataError(f"{name} has a frame of the shape {frame.shape}; expected (h, w, 3), or (h, w) if grey.")
    types = sorted({str(frame.dtype) for frame in frames})
    if types not in (["uint8"], ["uint16"]):
        raise DataError(f"{name} has frames of {' and '.join(types)}; expected uint8, 0 to 255, or uint16 throughout.")
    coloured = any(frame.ndim == 3 for frame in frames)
    if isinstance(kind, Prepared):
        return _silhouettes(frames, kind, name)
    if coloured and channels is None:
        raise ConfigError("The order of the colours is unknown; say channels='rgb', or 'bgr' as OpenCV decodes them.")
    return ArrayFrames(frames, kind.size, channels == "bgr")


def _silhouettes(frames: list[np.ndarray], kind: Prepared, name: str) -> np.ndarray:
    """Align silhouettes as OpenGait's preparation does: uint8 (k, 64, 64)."""
    if not kind.silhouettes:
        raise DataError(f"{name} consists of arrays; expected the folder of {kind.wanted}.")
    for frame in frames:
        if frame.ndim == 3 or frame.dtype != np.uint8:
            raise DataError(
                f"{name} has a frame {frame.dtype} {frame.shape}; {kind.model} takes silhouettes, uint8 (h, w)."
            )
        SilhouettePictures.check(frame, name, kind.model)
    aligned = align_all(frames, soft=False)
    if not len(aligned):
        raise DataError(f"The silhouettes of {name} are empty.")
    return aligned
