"""Frame sources: sequences of frames that decode a frame only when it is indexed.

A frame source has a length, and `source[indices]` is an array `[k, ...]` of the indexed frames, in that order. A numpy
array is a frame source too. Picking 6 of 24 images decodes 6.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from opengait.data.images import DAMAGE, decode, reason_of
from opengait.data.packs.read import Pack
from opengait.data.safe_pickle import load_pickle
from opengait.errors import DataError


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
            self._frames = list(frames) if isinstance(frames, tuple) else frames
        return self._frames

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

    Images are decoded whole, converted to RGB and resized bilinearly; grey images get three equal channels.

    Args:
        paths: one image file per frame, in order.
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

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the indexed frames only; a frame that is indexed twice is decoded once.

        Raises:
            DataError: a file is missing, empty or not an image; the message names it.
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

    def _decode(self, path: str | Path, out: np.ndarray) -> None:
        try:
            if self.pack is not None:
                decode(self.pack.read(path), out, reduced=self.reduced)
            else:
                file = path if isinstance(path, Path) else Path(path)
                decode(file.read_bytes(), out, file, self.reduced)
        except DAMAGE as error:
            raise DataError(f"Cannot read the frame {path}: {reason_of(error)}.") from error

    def __repr__(self) -> str:
        first = self.paths[0] if len(self.paths) else None
        return f"ImageFrames({len(self.paths)} images from {str(first)!r})"


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
