"""Boxes of a video as frames."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from opengait.errors import DataError

# The frame's number from 0, then left, top, width and height in pixels.
Box = tuple[int, int, int, int, int]


class Video:
    """A video that is decoded from its start, so that what is asked for together costs one pass.

    Args:
        path: the file.
        size: (height, width) that boxes are resized to.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self.path = path
        self.size = size

    def cut(self, boxes: Sequence[Box]) -> np.ndarray:
        """These boxes, in any order, as pictures: uint8 (k, 3, h, w), RGB.

        Raises:
            DataError: the video cannot be read, ends before a frame, or a box lies outside.
        """
        wanted: dict[int, list[int]] = {}
        for place, box in enumerate(boxes):
            wanted.setdefault(box[0], []).append(place)
        out = np.empty((len(boxes), 3, *self.size), dtype=np.uint8)
        for frame, picture in self._frames(sorted(wanted)):
            for place in wanted[frame]:
                out[place] = self._cut(picture, boxes[place]).transpose(2, 0, 1)
        return out

    def _frames(self, frames: list[int]) -> Iterable[tuple[int, np.ndarray]]:
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

    def _cut(self, picture: np.ndarray, box: Box) -> np.ndarray:
        frame, x, y, w, h = box
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, picture.shape[1]), min(y + h, picture.shape[0])
        if left >= right or top >= bottom:
            raise DataError(f"A box of frame {frame} lies outside {self.path} ({picture.shape[1]}x{picture.shape[0]}).")
        cut = np.ascontiguousarray(picture[top:bottom, left:right])
        smaller = cut.shape[0] > self.size[0]
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return cv2.resize(cut, (self.size[1], self.size[0]), interpolation=method)


class VideoFrames:
    """One track of a video as a frame source: uint8 (k, 3, h, w), RGB; only the asked frames are kept.

    Args:
        video: the video.
        boxes: of the track, by frame.
    """

    def __init__(self, video: Video, boxes: Sequence[Box]) -> None:
        self.video = video
        self.boxes = list(boxes)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the asked boxes; see `Video.cut`."""
        return self.video.cut([self.boxes[index] for index in indices])
