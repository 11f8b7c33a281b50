"""What the page of `vvi browse` asks for: tracklets, answers and moving strips."""

import io
import math
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from opengait.data.frame_picker import uniform
from opengait.data.frames import FrameSource
from opengait.errors import DataError, UserError
from opengait_ext.data import Modality
from opengait_ext.evaluation.calibration_file import Calibration
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.runs.silhouettes.image_files import write_gif
from opengait_ext.runs.silhouettes.network import silhouettes_of
from opengait_ext.runs.silhouettes.panels import as_pictures, grey_to_colour
from opengait_ext.search.answer_figure import frames_in
from opengait_ext.search.describer import Describer
from opengait_ext.search.descriptors import Descriptors
from opengait_ext.search.inputs import Clip, find_clips
from opengait_ext.search.matching import Candidate, QueryResult, search
from opengait_ext.search.records import Record
from opengait_ext.search.video import VideoTrack

# Frames of a strip, and strips that are kept.
STRIP, KEPT = 12, 512
_ARRAYS = ("embeddings", "names", "types", "folders")
# Videos of the gallery that are kept open.
VIDEOS_OPEN = 8


class Session:
    """A gallery that is searched, by its own tracklets or by clips that were added.

    Args:
        gallery: the descriptors.
        describer: the network that made them.
        silhouettes: a network that makes silhouettes of frames; None shows frames alone.
        level: the false-alarm level of the verdicts.
        calibration: of the describer, for the verdicts.
    """

    def __init__(
        self,
        gallery: Descriptors,
        describer: Describer,
        silhouettes: PlainNetwork | None = None,
        level: float = 0.05,
        calibration: Calibration | None = None,
    ) -> None:
        self.gallery = gallery
        self.describer = describer
        self.silhouettes = silhouettes
        self.level = level
        self.calibration = calibration
        self.folder = Path(tempfile.mkdtemp(prefix="vvi-browse-"))
        self.added: list[tuple[Clip, Descriptors]] = []
        self.strip = lru_cache(KEPT)(self._strip)
        self._video = lru_cache(VIDEOS_OPEN)(self._tracks_of)
        self._network = Lock()
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def tracklets(self) -> list[dict[str, Any]]:
        """Return key, name and modality of each tracklet: those that were added, latest first, then the gallery."""
        added = [_entry(f"a{n}", Path(clip.name).name, clip.modality, clip) for n, (clip, _) in enumerate(self.added)]
        rows = zip(self.gallery.names, self.gallery.types, strict=True)
        return added[::-1] + [_entry(f"g{n}", *row, self.gallery.tracklet(n)[2]) for n, row in enumerate(rows)]

    def answers(self, key: str, modality: str = "", top: int = 10) -> dict[str, Any]:
        """Return the verdict about a tracklet, and the candidates with their keys.

        A tracklet of the gallery is searched in the rest of it.

        Args:
            key: the tracklet.
            modality: of the candidates; "" for both.
            top: the most candidates.

        Raises:
            KeyError: the tracklet does not exist.
            DataError: nothing is left to search in.
        """
        number = self._number(key)
        places = np.flatnonzero(self.gallery.types == modality) if modality else np.arange(len(self.gallery))
        if key[0] == "a":
            query = self.added[number][1]
        else:
            places, query = places[places != number], _rows(self.gallery, [number])
        (result,) = search(_rows(self.gallery, places), query, top, self.level, self.describer.metric, self.calibration)
        return {
            "verdict": verdict_of(result),
            "somebody": result.somebody,
            "candidates": [
                _entry(f"g{places[candidate.place]}", candidate.name, candidate.modality, candidate)
                | {"distance": candidate.distance, "p": candidate.p_value}
                for candidate in result.candidates
            ],
        }

    def add(self, files: Sequence[tuple[str, Callable[[Path], Any]]], modality: str) -> list[str]:
        """Add the tracklets of a video, tracked if no file of boxes comes with it, or of pictures; return their keys.

        Args:
            files: name and content of each file; the content is written by a function of its path.
            modality: visible or infrared.

        Raises:
            UserError: the files hold no tracklet.
        """
        from opengait_ext.search.boxes import boxes_beside
        from opengait_ext.search.inputs import VIDEOS
        from opengait_ext.track import Motion, track_video

        names = [Path(name.replace("\\", "/")).name for name, _ in files]
        videos = [name for name in names if Path(name).suffix.lower() in VIDEOS]
        others = [name for name in names if name not in videos]
        if not names or {"", ".", ".."} & set(names) or len(videos) > 1 or (videos and len(others) > 1):
            raise DataError("Expected one video, alone or with its file of boxes, or the pictures of one tracklet.")
        folder = Path(tempfile.mkdtemp(dir=self.folder)) / (Path(videos[0]).stem if videos else "pictures")
        folder.mkdir()
        for name, (_, write) in zip(names, files, strict=True):
            try:
                write(folder / name)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise DataError(f"{name!r} cannot be stored on this machine: {reason}.") from error
        paths = [folder / video for video in videos] or [folder]
        boxes = [folder / other for other in others] if videos else []
        with self._network:
            if videos and not boxes:
                track_video(paths[0], boxes_beside(paths[0]), Motion())
            clips = find_clips(paths, self.describer.kind, modality, boxes)
            descriptors = self.describer.describe(clips, self.gallery.frames)
            first = len(self.added)
            self.added += [(clip, _rows(descriptors, [number])) for number, clip in enumerate(clips)]
        return [f"a{number}" for number in range(first, len(self.added))]

    def _strip(self, key: str) -> bytes:
        """Return an animated GIF: frames, with their silhouettes to the right.

        If the frames are not on this machine, it is the thumbnail, a JPEG, or b"" without one.

        Raises:
            KeyError: the tracklet does not exist.
        """
        number = self._number(key)
        record = Record() if key[0] == "a" else self.gallery.tracklet(number)[2]
        sources = (self.added[number][0].frames,) if key[0] == "a" else self._frames_of(record)
        try:
            frames = [np.asarray(source[uniform(len(source), min(STRIP, len(source)))]) for source in sources]
            pictures = [as_pictures(frame, key) for frame in frames]
        except DataError:
            pictures = []
        if not pictures:
            return record.thumbnail
        moving = pictures[0]
        if self.silhouettes is not None and frames[0].ndim == 4:
            with self._network:
                masks = silhouettes_of(self.silhouettes, frames[0]).mask.cpu().numpy()
            moving = np.concatenate([moving, _enlarged(masks, moving.shape[1:3])], axis=2)
        data = io.BytesIO()
        write_gif(data, np.ascontiguousarray(moving))
        return data.getvalue()

    def _frames_of(self, record: Record) -> tuple[FrameSource, ...]:
        """Return the frames of a tracklet of the gallery; none if they are not here."""
        if not record.track:
            return frames_in(record.source, self.describer.kind)
        try:
            track = self._video(record.source)[record.track].frames
        except (UserError, KeyError):
            return ()
        assert isinstance(track, VideoTrack)
        seconds = track.video.reader.times[track.boxes[:, 0]]
        within = (seconds >= (record.start_seconds or 0)) & (seconds <= (record.end_seconds or math.inf))
        return (VideoTrack(track.video, track.boxes[within]),) if within.any() else ()

    def _tracks_of(self, source: str) -> dict[str, Clip]:
        """Return the tracks of a video whose boxes `vvi track` wrote."""
        return {clip.track: clip for clip in find_clips([source], self.describer.kind, Modality.VISIBLE)}

    def _number(self, key: str) -> int:
        """Return the number in a key of `tracklets`."""
        count = {"a": len(self.added), "g": len(self.gallery)}.get(key[:1], 0)
        if not key[1:].isdecimal() or int(key[1:]) >= count:
            raise KeyError(key)
        return int(key[1:])


def verdict_of(result: QueryResult) -> str:
    """Return a sentence about the result of a query."""
    if result.somebody is None:
        return f"Cannot tell: {result.undecided}."
    setting = f"{'false-positive rate' if result.calibrated else 'level'} {result.fpir:g}"
    chance = (
        "" if result.probability is None else f"; the first is the person with probability {result.probability:.2g}"
    )
    return f"{'A match' if result.somebody else 'No match'} at {setting}{chance}."


def _enlarged(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return masks (k, 1, h, w) or (k, h, w) in 0..1 as grey pictures (k, *size, 3)."""
    import cv2

    grey = [cv2.resize(mask.squeeze().clip(0, 1), size[::-1], interpolation=cv2.INTER_LINEAR) for mask in masks]
    return np.ascontiguousarray(grey_to_colour((255 * np.stack(grey)).astype(np.uint8)))


def _rows(descriptors: Descriptors, places: Sequence[int] | np.ndarray) -> Descriptors:
    rows: dict[str, Any] = {name: getattr(descriptors, name)[places] for name in _ARRAYS}
    records = tuple(descriptors.records[place] for place in places) if descriptors.records else ()
    return replace(descriptors, **rows, records=records)


def _entry(key: str, name: str, modality: str, seen: Clip | Record | Candidate) -> dict[str, Any]:
    times = {"start": seen.start_seconds, "end": seen.end_seconds}
    return {"key": key, "name": str(name), "modality": str(modality), **times}
