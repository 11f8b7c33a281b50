"""Decoding of videos: frames by their number, with the time of each.

PyAV (the extra `video`) reads the times of all frames once, without decoding, and seeks by them; a frame's number is
the rank of its time. Without PyAV, OpenCV decodes from the start. Both hold one frame at a time.
"""

import itertools
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from opengait.errors import DataError

av: Any = import_module("av") if find_spec("av") else None
# Frames per second of a video that tells neither times nor a rate.
UNKNOWN_RATE = 25
# Frames by which it is checked that each packet is a frame.
_CHECKED = 8
INSTALL = 'pip install "opengait-dinogrl[video]"'


class Reader(Protocol):
    """A video whose frames are numbered from 0 in the order of display.

    Attributes:
        size: (height, width) of the upright frames.
        times: float64 (n), seconds of each frame after the first.
        deep: whether the frames are grey with more than 8 bits.
    """

    size: tuple[int, int]
    deep: bool
    times: np.ndarray

    def frames(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with ascending numbers, upright: uint8 (h, w, 3), RGB; uint16 (h, w) for deep grey."""

    def walk(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, frame) of all frames that are not damaged."""


def open_video(path: Path) -> Reader:
    """Open a video.

    Raises:
        DataError: it is damaged, or its codec is missing.
    """
    return OpenCVReader(path) if av is None else PyAVReader(path)


class PyAVReader:
    """A video read by PyAV; see `Reader`.

    Where a file lacks the times of its frames (H.264 in AVI, raw streams), they are counted from the start and spaced
    evenly.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamps: np.ndarray | None = None
        self._keys = np.zeros(1, dtype=np.int64)
        packets, rate, base = self._packets()
        keys = [stamp for stamp, key in packets if key]
        # Recordings that were joined may count their time anew.
        if len({stamp for stamp, _ in packets} - {None}) == len(packets) and keys == sorted(keys):
            packets.sort()
            self._stamps = np.array([stamp for stamp, _ in packets], dtype=np.int64)
            self._keys = np.flatnonzero([key for _, key in packets])
        start = list(itertools.islice(self._decode_from(0), _CHECKED))
        if not start:
            raise _unreadable(path)
        picture = _upright(start[0][1])
        self.size, self.deep = picture.shape[:2], picture.ndim == 2
        numbers = [number for number, _ in start]
        if self._stamps is not None and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            # A recording may begin amid frames that need an earlier one; the first that can be shown is number 0.
            self._stamps = self._stamps[numbers[0] :]
            self._keys = self._keys[self._keys >= numbers[0]] - numbers[0]
            self.times = (self._stamps - self._stamps[0]) * base
        else:
            self._stamps, self._keys = None, np.zeros(1, dtype=np.int64)
            shown = [frame.time for _, frame in self._decode_from(0)]
            self.times = _spaced(shown, rate)

    def _packets(self) -> tuple[list[Any], float, float]:
        """Return (time in units of the stream, is a key frame) of each packet, frames per second, and the unit."""
        try:
            with av.open(_name(self.path)) as container:
                stream = container.streams.best("video")
                packets = [] if stream is None else list(_stamped(container, stream))
                if not packets:
                    raise _unreadable(self.path)
                return packets, float(stream.average_rate or 0), float(stream.time_base)
        except av.FFmpegError as error:
            raise _unreadable(self.path) from error

    def frames(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with ascending numbers, seeking where a key frame lies between two of them.

        Raises:
            DataError: the video ends before a frame, or a frame is damaged.
        """
        decoder: Iterator[tuple[int, Any]] = iter(())
        current, frame = -1, None
        for number in numbers:
            check_number(self.path, number, len(self.times))
            if frame is None or self._key_before(number) > current:
                decoder = self._decode_from(number)
            while frame is None or current < number:
                current, frame = next(decoder, (len(self.times), None))
                if frame is None:
                    break
            if current != number:
                raise _damaged(self.path, number)
            yield _upright(frame)

    def walk(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, frame) of all frames that are not damaged."""
        return ((number, _upright(frame)) for number, frame in self._decode_from(0))

    def _key_before(self, number: int) -> int:
        """Return the last key frame up to a frame; 0 if there is none."""
        place = np.searchsorted(self._keys, number, side="right")
        return int(self._keys[place - 1]) if place else 0

    def _decode_from(self, number: int) -> Iterator[tuple[int, Any]]:
        """Yield (number, PyAV's frame) from the last key frame before `number` on."""
        # Some files' own index leads past the key frame; these are decoded from the start.
        for key in dict.fromkeys((self._key_before(number), 0)):
            with av.open(_name(self.path)) as container:
                stream = container.streams.best("video")
                stream.thread_type = "AUTO"
                if key and self._stamps is not None:
                    container.seek(int(self._stamps[key]), stream=stream)
                frames = self._numbered(_decoded(container, stream))
                first = next(frames, None)
                if first is not None and (first[0] <= number or not key):
                    yield first
                    yield from frames
                    return

    def _numbered(self, frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        for count, frame in enumerate(frames):
            if self._stamps is None:
                yield count, frame
            elif frame.pts is not None:
                number = int(np.searchsorted(self._stamps, frame.pts))
                if number < len(self._stamps) and self._stamps[number] == frame.pts:
                    yield number, frame


def _stamped(container: Any, stream: Any) -> Iterator[tuple[int | None, bool]]:
    """Yield (time in units of the stream, is a key frame) of each packet that holds a frame."""
    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                yield packet.pts, packet.is_keyframe
    except av.FFmpegError:
        return  # A damaged end: what comes before it counts.


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue  # A damaged packet costs no other frame.
    except av.FFmpegError:
        return


def _spaced(times: Sequence[float | None], rate: float) -> np.ndarray:
    """Return times from the first one on; evenly spaced ones if some are missing, repeat or run back."""
    known = np.array(times, dtype=np.float64)
    if (np.diff(known) > 0).all():
        return known - known[0]
    return np.arange(len(known)) / (rate or UNKNOWN_RATE)


def _upright(frame: Any) -> np.ndarray:
    """Return the picture of PyAV's frame, turned by the video's rotation tag."""
    components = frame.format.components
    if len(components) == 1 and components[0].bits > 8 and not frame.format.has_palette:
        picture = frame.to_ndarray(format="gray16le")
    else:
        picture = frame.to_ndarray(format="rgb24")
    return np.rot90(picture, round(frame.rotation / 90))


class OpenCVReader:
    """A video read by OpenCV, which decodes it from the start for each pass; see `Reader`."""

    deep = False

    def __init__(self, path: Path) -> None:
        self.path = path
        times = []
        video = self._open()
        try:
            while video.grab():
                times.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            rate = video.get(cv2.CAP_PROP_FPS)
        finally:
            video.release()
        if not times:
            raise _unreadable(path)
        self.times = _spaced(times, rate)
        self.size = next(self.frames([0])).shape[:2]

    def frames(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with ascending numbers.

        Raises:
            DataError: the video ends before a frame, or a frame is damaged.
        """
        video = self._open()
        try:
            current, picture = -1, None
            for number in numbers:
                check_number(self.path, number, len(self.times))
                while current < number and video.grab():
                    current, picture = current + 1, None
                if picture is None:
                    decoded, picture = video.retrieve()
                if current != number or not decoded:
                    raise _damaged(self.path, number)
                yield picture[:, :, ::-1]
        finally:
            video.release()

    def walk(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, frame) of all frames that are not damaged."""
        video = self._open()
        try:
            for number in range(len(self.times)):
                decoded, picture = video.read()
                if decoded:
                    yield number, picture[:, :, ::-1]
        finally:
            video.release()

    def _open(self) -> cv2.VideoCapture:
        video = cv2.VideoCapture(_name(self.path))
        if not video.isOpened():
            raise _unreadable(self.path)
        # The code of deep grey formats is Y, 1, 0 and the bits, or the reverse; OpenCV would keep the upper 8 bits.
        code = set(int(video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)).to_bytes(4, "little", signed=True))
        if code > set(b"Y1\0"):
            video.release()
            raise DataError(f"{self.path} has grey frames of {min(code - {0})} bits, which PyAV reads: {INSTALL}.")
        return video


def _name(path: Path) -> str:
    """Return the name by which FFmpeg opens a file; a relative one such as "concat:x.mp4" would be a protocol."""
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"The name of {path} is not valid text, so FFmpeg cannot open it; rename it.") from error
    return name


def check_number(path: Path, number: int, count: int) -> None:
    """Check that a video of `count` frames has frame `number`.

    Raises:
        DataError: it has not.
    """
    if number >= count:
        raise DataError(
            f"{path} ends or is damaged after {count} frames, but a box is in frame {number}, counted from 0."
        )


def _damaged(path: Path, number: int) -> DataError:
    return DataError(f"Frame {number} of {path}, counted from 0, cannot be decoded; it is damaged.")


def _unreadable(path: Path) -> DataError:
    if not path.exists():
        return DataError(f"{path} does not exist; give the path of a video.")
    return DataError(f"{path} cannot be read as a video; it is damaged or its codec is missing.")
