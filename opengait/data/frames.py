"""Frame sources: sequences of frames that decode a frame only when it is indexed.

A frame source has a length, and `source[indices]` is an array `[k, ...]` of the indexed frames, in that order. A numpy
array is a frame source too. Picking 6 of 24 images decodes 6.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from opengait.data.deep_pixels import LEVEL_FRAMES, levels_of, sampled, values_of
from opengait.data.images import DAMAGE, MOST_BYTES, decode, open_picture, read_picture, reason_of
from opengait.data.packs.read import Pack
from opengait.data.safe_pickle import load_pickle
from opengait.errors import DataError
from opengait.utils.regular_files import read_file


class FrameSource(Protocol):
    """The frames of one feature of a tracklet, as a dataset returns them."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray: ...


class PickledFrames:
    """The frames of a pickle file, an array `[frames, ...]` or a list of `frames` arrays, loaded on first use.

    Args:
        path: the file.
        trusted: let the file run code (`data_cfg.trust_pickles`); objects that convert to arrays are accepted.
    """

    def __init__(self, path: str | Path, trusted: bool = False) -> None:
        self.path = Path(path)
        self.trusted = trusted
        self._frames: np.ndarray | list | None = None

    def load(self) -> np.ndarray | list:
        """Read every frame, once.

        Raises:
            DataError: the file cannot be read, or holds something other than a sequence of frames.
        """
        if self._frames is None:
            frames = load_pickle(self.path, self.trusted)
            if self.trusted and hasattr(frames, "__array__"):
                frames = np.asarray(frames)
            scalar = isinstance(frames, np.ndarray) and frames.ndim == 0
            if scalar or not isinstance(frames, list | tuple | np.ndarray):
                raise DataError(f"{self.path}: expected an array or list of frames, got {type(frames).__name__}.")
            # Arrays of objects were a way to store frames that differ in shape.
            if not isinstance(frames, np.ndarray) or (frames.ndim == 1 and frames.dtype.hasobject):
                self._frames = [self._checked(frame, f"frame {number}") for number, frame in enumerate(frames)]
            else:
                self._frames = self._checked(frames, "frames")
        return self._frames

    def _checked(self, frames: Any, what: str) -> np.ndarray:
        """Return frames or a frame as an array of numbers."""
        try:
            array = np.asarray(frames)
        except (ValueError, TypeError) as error:
            raise DataError(f"{self.path}: {what} is not an array ({' '.join(str(error).split())}).") from error
        if array.dtype.kind not in "buif":
            raise DataError(f"{self.path}: expected numbers in {what}, got {array.dtype} {list(array.shape)}.")
        if array.size == 0 and len(array):
            raise DataError(f"{self.path}: expected values in {what}, got the shape {list(array.shape)}.")
        return array

    def __len__(self) -> int:
        return len(self.load())

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray | list[np.ndarray]:
        """Return `[k, ...]`, or a list of k arrays if frames differ in shape, as point clouds do."""
        return pick_frames(self.load(), indices)

    def __repr__(self) -> str:
        return f"PickledFrames({str(self.path)!r})"


def pick_frames(frames: Any, indices: Sequence[int]) -> np.ndarray | list[np.ndarray]:
    """Return the indexed frames of an array, a list of arrays or any frame source.

    Returns:
        `[k, ...]`; for a list whose frames differ in shape, a list of k arrays.
    """
    if isinstance(frames, list | tuple):
        picked = [np.asarray(frames[index]) for index in indices]
        return np.stack(picked) if len({frame.shape for frame in picked}) == 1 else picked
    if isinstance(frames, np.ndarray):
        return frames[np.asarray(indices, dtype=np.intp)]
    return frames[indices]


class ImageFrames:
    """Image files as frames, uint8 `[k, 3, h, w]`, RGB.

    Images are decoded whole, turned upright by their orientation tag, converted to RGB and resized bilinearly; grey
    images get three equal channels. Images of more than 8 bits are scaled alike for all frames, from the values of some
    of them (`opengait.data.deep_pixels`), which are decoded in addition.

    Args:
        paths: one image file per frame of the whole tracklet, in order.
        size: (height, width) of the frames.
        pack: the pack that holds the files under these paths; None reads the files themselves.
        reduced: decode JPEGs at a half, a quarter or an eighth of their size if that is still `size` or more, and
            resize the result. Faster for large images, with slightly different values: a reduced JPEG averages blocks
            of pixels, whereas the bilinear filter weights neighbours too.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        size: tuple[int, int],
        pack: Pack | None = None,
        reduced: bool = False,
    ) -> None:
        self.paths = paths
        self.size = size
        self.pack = pack
        self.reduced = reduced
        self._levels: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the indexed frames only; a frame that is indexed twice is decoded once.

        Raises:
            DataError: a file is missing, empty or not an image, or has values that no rule covers; the message names
                it.
        """
        out = np.empty((len(indices), 3, *self.size), dtype=np.uint8)
        decoded: dict[int, int] = {}
        for position, index in enumerate(map(int, indices)):
            if index in decoded:
                out[position] = out[decoded[index]]
            else:
                self._decode(self.paths[index], out[position])
                decoded[index] = position
        return out

    def picture(self, index: int) -> Image.Image:
        """Decode a frame in the size of its file.

        Raises:
            DataError: as for indexing.
        """
        path = self.paths[index]
        try:
            return read_picture(self._bytes_of(path), self.levels)
        except DAMAGE as error:
            raise _unreadable(path, error) from error

    def levels(self) -> tuple[float, float]:
        """Return the values that become 0 and 255 in images of more than 8 bits.

        Raises:
            DataError: a file cannot be read, or some have 8 bits and others more.
        """
        if self._levels is None:
            numbers = np.linspace(0, len(self.paths) - 1, min(LEVEL_FRAMES, len(self.paths))).round().astype(int)
            self._levels = levels_of([self._sample(self.paths[number]) for number in numbers])
        return self._levels

    def _decode(self, path: str | Path, out: np.ndarray) -> None:
        try:
            decode(self._bytes_of(path), out, self.levels, self.reduced)
        except DAMAGE as error:
            raise _unreadable(path, error) from error

    def _sample(self, path: str | Path) -> np.ndarray:
        try:
            data = self._bytes_of(path)
            with open_picture(data) as image:
                values = values_of(image, data)
        except DAMAGE as error:
            raise _unreadable(path, error) from error
        if values is None:
            raise DataError(f"The frame {path} has 8 bits per value, but other frames of its tracklet have more.")
        return sampled(values)

    def _bytes_of(self, path: str | Path) -> bytes | memoryview:
        return read_file(path, MOST_BYTES) if self.pack is None else self.pack.read(path)

    def __repr__(self) -> str:
        first = self.paths[0] if len(self.paths) else None
        return f"ImageFrames({len(self.paths)} images from {str(first)!r})"


def _unreadable(path: str | Path, error: Exception) -> DataError:
    return DataError(f"Cannot read the frame {path}: {reason_of(error)}.")


@contextmanager
def named_tracklet(tracklet: str) -> Iterator[None]:
    """Prepend the tracklet to a `DataError` whose message does not name it."""
    try:
        yield
    except DataError as error:
        if tracklet in str(error):
            raise
        raise DataError(f"Tracklet {tracklet}: {error}") from error


def check_same_length(sources: Sequence[Any], tracklet: str) -> int:
    """Return the number of frames, which all features of a tracklet must share.

    Raises:
        DataError: the features disagree, or there is no feature or no frame.
    """
    if not sources:
        raise DataError(f"Tracklet {tracklet} has no feature; check data_cfg.data_in_use against its directory.")
    lengths = [len(source) for source in sources]
    if len(set(lengths)) > 1:
        listed = ", ".join(
            f"{getattr(source, 'path', f'feature {number}')}: {lengths[number]}"
            for number, source in enumerate(sources)
        )
        raise DataError(f"The features of tracklet {tracklet} differ in their number of frames ({listed}).")
    if lengths[0] == 0:
        raise DataError(f"Tracklet {tracklet} has no frames; remove it or prepare it again.")
    return lengths[0]
