"""Frames cut out of videos by boxes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from opengait.errors import DataError

# Frame number from 0, then left, top, width and height in pixels.
Box = tuple[int, int, int, int, int]


class Video:
    """A video, decoded from its start, so boxes that are requested together cost one pass.

    Args:
        path: the file.
        size: (height, width) to which boxes are resized.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self.path = path
        self.size = size

    def cut(self, boxes: Sequence[Box]) -> np.ndarray:
        """Return boxes, in any order, as RGB pictures, uint8 (k, 3, h, w).

        Raises:
            DataError: the video cannot be read or ends before a frame, or a box lies outside its frame.
        """
        by_frame: dict[int, list[int]] = {}
        for index, box in enumerate(boxes):
            by_frame.setdefault(box[0], []).append(index)
        pictures = np.empty((len(boxes), 3, *self.size), dtype=np.uint8)
        for frame, picture in self._frames(sorted(by_frame)):
            for index in by_frame[frame]:
                pictures[index] = self._cut(picture, boxes[index]).transpose(2, 0, 1)
        return pictures

    def _frames(self, frames: list[int]) -> Iterable[tuple[int, np.ndarray]]:
        try:
            # A relative name such as "concat:x.mp4" would be a protocol to FFmpeg.
            video = cv2.VideoCapture(str(self.path.absolute()))
        except UnicodeEncodeError as error:
            raise DataError(
                f"The name of {self.path} is not valid text, so OpenCV cannot open it; rename it."
            ) from error
        try:
            if not video.isOpened():
                raise DataError(f"{self.path} cannot be read as a video; it is damaged or its codec is missing.")
            self._check_depth(video)
            # Seeking is inexact with some codecs, so frames are counted from the start.
            current = -1
            for frame in frames:
                while current < frame:
                    if not video.grab():
                        raise DataError(
                            f"{self.path} ends or is damaged after {current + 1} frames, but a box is in frame "
                            f"{frame}, counted from 0."
                        )
                    current += 1
                decoded, picture = video.retrieve()
                if not decoded:
                    raise DataError(f"Frame {frame} of {self.path} cannot be decoded.")
                yield frame, picture[:, :, ::-1]
        finally:
            video.release()

    def _check_depth(self, video: cv2.VideoCapture) -> None:
        """Refuse grey videos of more than 8 bits, whose counts need a scale (`opengait.data.deep_pixels`)."""
        # The code of such formats is Y, 1, 0 and the bits, or the reverse.
        code = set(int(video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)).to_bytes(4, "little", signed=True))
        if code > set(b"Y1\0"):
            raise DataError(
                f"{self.path} has grey frames of {min(code - {0})} bits, and OpenCV would keep only the upper 8; write "
                f"them as 16-bit PNGs (ffmpeg -i VIDEO -pix_fmt gray16be FOLDER/%06d.png), cut out the people, and "
                f"give their folders."
            )

    def _cut(self, picture: np.ndarray, box: Box) -> np.ndarray:
        frame, x, y, w, h = box
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, picture.shape[1]), min(y + h, picture.shape[0])
        if left >= right or top >= bottom:
            raise DataError(f"A box of frame {frame} lies outside {self.path} ({picture.shape[1]}x{picture.shape[0]}).")
        cut = np.ascontiguousarray(picture[top:bottom, left:right])
        smaller = cut.shape[0] > self.size[0]
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return cv2.resize(cut, (self.size[1], self.size[0]), interpolation=method)


class VideoTrack:
    """One track of a video as a frame source of uint8 (k, 3, h, w), RGB.

    Args:
        video: the video.
        boxes: boxes of the track, by frame.
    """

    def __init__(self, video: Video, boxes: Sequence[Box]) -> None:
        self.video = video
        self.boxes = list(boxes)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the boxes at some indices; see `Video.cut`."""
        return self.video.cut([self.boxes[index] for index in indices])
