"""Tracks of people in videos, cut out by boxes."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from opengait.data.deep_pixels import LEVEL_FRAMES, levels_of, sampled, to_bytes
from opengait.errors import DataError
from opengait_ext.search.decode import Reader, open_video
from opengait_ext.search.thumbnails import thumbnail_of


class Video:
    """A video that is opened on first use.

    Args:
        path: the file.
        size: (height, width) to which boxes are resized.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self.path = path
        self.size = size

    @cached_property
    def reader(self) -> Reader:
        """The opened file.

        Raises:
            DataError: it cannot be read as a video.
        """
        return open_video(self.path)

    def crops(self, boxes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (index, picture) of each box, by frame, in one pass; pictures are as in `Reader.frames`.

        Args:
            boxes: int (k, 5), in any order: frame from 0, left, top, width, height in pixels.

        Raises:
            DataError: the video ends before a frame, a frame is damaged, or a box lies outside its frame.
        """
        order = np.argsort(boxes[:, 0], kind="stable")
        numbers, starts = np.unique(boxes[order, 0], return_index=True)
        groups = np.split(order, starts[1:])
        for number, picture, indices in zip(numbers, self.reader.frames(numbers.tolist()), groups, strict=True):
            for index in indices:
                left, top = boxes[index, 1:3].clip(min=0)
                right, bottom = boxes[index, 1:3] + boxes[index, 3:]
                crop = picture[top : max(bottom, 0), left : max(right, 0)]
                if not crop.size:
                    height, width = picture.shape[:2]
                    raise DataError(f"A box of frame {number} lies outside {self.path} ({width}x{height}).")
                yield int(index), crop


class VideoTrack:
    """One track of a video as a frame source of uint8 (k, 3, h, w), RGB.

    Boxes of deep grey videos are scaled by the rule of `opengait.data.deep_pixels`, from the boxes of the track.

    Args:
        video: the video.
        boxes: int (n, 5), the boxes of the track by frame; see `Video.crops`.
    """

    def __init__(self, video: Video, boxes: np.ndarray) -> None:
        self.video = video
        self.boxes = boxes
        self._levels: tuple[float, float] | None = None
        self._thumbnail = b""

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the boxes at some indices."""
        return cut_tracks([(self, indices)])[0]

    @property
    def thumbnail(self) -> bytes:
        """A box as a small JPEG: of those that were cut first, the one nearest to the middle; else the middle one."""
        if not self._thumbnail:
            cut_tracks([(self, [len(self) // 2])])
        return self._thumbnail

    def nearest_to_middle(self, indices: Sequence[int]) -> int:
        """Return the index that is nearest to the middle of the track."""
        return min(indices, key=lambda index: abs(index - len(self) // 2))

    def keep_levels(self, samples: list[np.ndarray]) -> None:
        """Take the values that become 0 and 255 from sampled values of the track."""
        self._levels = levels_of(samples)

    def as_rgb(self, crop: np.ndarray) -> np.ndarray:
        """Return a crop of the video as uint8 (h, w, 3)."""
        if crop.dtype == np.uint8:
            return crop
        assert self._levels is not None
        return np.repeat(to_bytes(crop, self._levels)[:, :, None], 3, axis=2)

    def keep_thumbnail(self, picture: np.ndarray) -> None:
        """Take the thumbnail from an RGB picture, unless there is one."""
        self._thumbnail = self._thumbnail or thumbnail_of(picture)


def cut_tracks(requests: Sequence[tuple[VideoTrack, Sequence[int]]]) -> list[np.ndarray]:
    """Return boxes of several tracks of one video, decoded in one pass; deep videos take another for their levels.

    Args:
        requests: tracks, and the indices of the boxes of each, which may repeat.

    Returns:
        Per request, uint8 (k, 3, h, w), RGB.

    Raises:
        DataError: as in `Video.crops`.
    """
    video = requests[0][0].video
    if video.reader.deep:
        _read_levels([track for track, _ in requests])
    cuts = [np.empty((len(indices), 3, *video.size), dtype=np.uint8) for _, indices in requests]
    slots = [(number, place) for number, (_, indices) in enumerate(requests) for place in range(len(indices))]
    middles = [track.nearest_to_middle(indices) for track, indices in requests]
    boxes = np.concatenate([track.boxes[list(indices)] for track, indices in requests])
    for slot, crop in video.crops(boxes):
        number, place = slots[slot]
        track, indices = requests[number]
        picture = track.as_rgb(crop)
        if indices[place] == middles[number]:
            track.keep_thumbnail(picture)
        cuts[number][place] = _resized(picture, video.size).transpose(2, 0, 1)
    return cuts


def _read_levels(tracks: Sequence[VideoTrack]) -> None:
    numbers = [np.linspace(0, len(track) - 1, min(LEVEL_FRAMES, len(track))).round().astype(int) for track in tracks]
    owners = np.repeat(np.arange(len(tracks)), list(map(len, numbers)))
    boxes = np.concatenate([track.boxes[picks] for track, picks in zip(tracks, numbers, strict=True)])
    samples: list[list[np.ndarray]] = [[] for _ in tracks]
    for index, crop in tracks[0].video.crops(boxes):
        samples[owners[index]].append(sampled(crop))
    for track, values in zip(tracks, samples, strict=True):
        track.keep_levels(values)


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    method = cv2.INTER_AREA if picture.shape[0] > size[0] else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), size[::-1], interpolation=method)
