"""Tracking of detected people through a video, and the MOT text that keeps the tracks."""

import itertools
import logging
import math
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from opengait.data.deep_pixels import LEVEL_FRAMES, levels_of, sampled, to_bytes
from opengait.errors import ConfigError
from opengait.utils.files import write_whole
from opengait_ext.search.decode import Reader, open_video
from opengait_ext.track.detect import Detector

norfair: Any = import_module("norfair") if find_spec("norfair") else None

log = logging.getLogger("opengait")

INSTALL = 'pip install "opengait-dinogrl[track]"'
# The frames from which a detector learns the background, and the seconds over which they are spread.
LEARNED_FRAMES, LEARNED_SECONDS = 120, 60.0
# Largest 1 - IoU of a box and the predicted one.
_DISTANCE = 0.8


@dataclass(frozen=True)
class Summary:
    """What was found in a video: the number of frames, of tracks and of boxes, and the seconds that it lasts."""

    frames: int
    tracks: int
    boxes: int
    seconds: float


def track_video(
    path: Path, out: Path, detector: Detector, least_seconds: float = 1.0, lost_seconds: float = 1.0
) -> Summary:
    """Find and follow the people in a video, and write their boxes as MOT text.

    Frames are decoded one at a time, and a track is written when it ends, so memory does not grow with the video.

    Args:
        path: the video.
        out: the file to write: frame from 1, track, left, top, width, height, score, -1, -1, -1.
        detector: finds people in a frame.
        least_seconds: shorter tracks are left out.
        lost_seconds: how long a person may be hidden.

    Raises:
        ConfigError: the tracker's library is missing.
        DataError: the video cannot be read.
        OutputError: the file cannot be written.
    """
    if norfair is None:
        raise ConfigError(f"Tracking needs norfair: {INSTALL}.")
    video = open_video(path)
    counts = [0, 0]

    def write(partial: Path) -> None:
        with partial.open("w", encoding="ascii") as file:
            for rows in _tracks(video, detector, lost_seconds):
                numbers = rows[:, 0].astype(int)
                if video.times[numbers[-1]] - video.times[numbers[0]] >= least_seconds:
                    counts[0] += 1
                    counts[1] += len(rows)
                    _write_rows(file, counts[0], rows)

    with _quiet():
        write_whole(out, write)
    return Summary(len(video.times), counts[0], counts[1], float(video.times[-1]))


def _tracks(video: Reader, detector: Detector, lost_seconds: float) -> Iterator[np.ndarray]:
    """Yield the rows (n, 6) of each track when it ends: frame from 0, left, top, width, height, score."""
    count = len(video.times)
    rate = count / max(float(video.times[-1]), 1e-3)
    hidden = max(2, round(rate * lost_seconds))
    tracker = norfair.Tracker(
        "iou", _DISTANCE, hit_counter_max=hidden, initialization_delay=min(2, hidden - 1), past_detections_length=0
    )
    height, width = video.size
    as_rgb = _conversion(video)
    learned = min(count, max(1, round(rate * LEARNED_SECONDS)))
    step = math.ceil(learned / LEARNED_FRAMES)
    start = itertools.takewhile(lambda pair: pair[0] < learned, video.walk())
    detector.learn((as_rgb(frame) for number, frame in start if number % step == 0), rate)
    open_tracks: dict[int, array] = {}
    seen_frames = 0
    for number, frame in video.walk():
        seen_frames += 1
        boxes, scores = detector(as_rgb(frame))
        corners = np.clip(boxes, 0, [width, height, width, height]).reshape(-1, 2, 2)
        seen = [
            norfair.Detection(points, np.full(2, score), data=number)
            for points, score in zip(corners, scores, strict=True)
        ]
        tracker.update(seen)
        for person in tracker.tracked_objects:
            latest = person.last_detection
            if latest.data == number:
                (left, top), (right, bottom) = latest.points
                row = (number, left, top, right - left, bottom - top, float(latest.scores[0]))
                open_tracks.setdefault(person.initializing_id, array("d")).extend(row)
        alive = {person.initializing_id for person in tracker.tracked_objects}
        for key in [key for key in open_tracks if key not in alive]:
            yield np.array(open_tracks.pop(key)).reshape(-1, 6)
    if seen_frames < count:
        log.warning("%d of %d frames are damaged, and nobody was looked for in them.", count - seen_frames, count)
    for rows in open_tracks.values():
        yield np.array(rows).reshape(-1, 6)


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop norfair's warnings, one per frame in which the predicted corners of a hidden person cross."""
    log = logging.getLogger("norfair")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _conversion(video: Reader) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function to RGB; the levels of a deep video are those of some frames of it."""
    if not video.deep:
        return lambda frame: frame
    numbers = np.unique(np.linspace(0, len(video.times) - 1, LEVEL_FRAMES).round().astype(int))
    levels = levels_of([sampled(frame) for frame in video.frames(numbers.tolist())])
    return lambda frame: np.repeat(to_bytes(frame, levels)[:, :, None], 3, axis=2)


def _write_rows(file: TextIO, track: int, rows: np.ndarray) -> None:
    for number, left, top, width, height, score in rows:
        file.write(f"{number + 1:.0f},{track},{left:.1f},{top:.1f},{width:.1f},{height:.1f},{score:.2f},-1,-1,-1\n")
