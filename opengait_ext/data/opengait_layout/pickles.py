"""Looking at one pickled feature of a tracklet. Imports little, so that processes start fast."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opengait.data.safe_pickle import load_pickle
from opengait.errors import DataError
from opengait_ext.data.check.frames import COMMON

MISSING, EMPTY, FOLDER = "missing file", "empty file", "folder in the place of a file"
UNREADABLE, TRUNCATED, NONE, ODD = "unreadable file", "truncated file", "no frames", "frames of odd shape"
# The first byte of a pickle since protocol 2, and the last of any.
PROTOCOL, STOP = b"\x80", b"."


class PickleLook(NamedTuple):
    """What one look gave: the number of frames (-1 if unknown), their shapes, and a kind of problem, or nothing."""

    frames: int = -1
    shapes: tuple[tuple[int, ...], ...] = ()
    kind: str = ""
    what: str = ""


@dataclass(frozen=True)
class PickleCheck:
    """How to look at pickles; `fast` looks at their first and last byte only."""

    fast: bool = False

    def __call__(self, path: str) -> PickleLook:
        """Look at one file."""
        file = Path(path)
        if file.is_dir():
            return PickleLook(kind=FOLDER)
        if not file.exists():
            return PickleLook(kind=MISSING)
        try:
            if file.stat().st_size == 0:
                return PickleLook(kind=EMPTY)
            return ends_of(file) if self.fast else content_of(file)
        except OSError as error:
            return PickleLook(kind=UNREADABLE, what=error.strerror or str(error))


def ends_of(file: Path) -> PickleLook:
    """See that a file begins and ends as a pickle does."""
    with file.open("rb") as opened:
        first = opened.read(1)
        opened.seek(-1, 2)
        last = opened.read(1)
    if last != STOP:
        return PickleLook(kind=TRUNCATED, what="its last byte does not end a pickle")
    return PickleLook() if first == PROTOCOL else content_of(file)


def content_of(file: Path) -> PickleLook:
    """Read a file as the data set does."""
    try:
        frames = load_pickle(file)
    except DataError as error:
        return PickleLook(kind=UNREADABLE, what=str(error))
    # Not numpy's `ndim` of a list, which fails for frames of several shapes, such as point clouds.
    lone = isinstance(frames, np.ndarray) and frames.ndim == 0
    if lone or not isinstance(frames, list | tuple | np.ndarray):
        return PickleLook(kind=UNREADABLE, what=f"it holds a {type(frames).__name__} instead of frames")
    if len(frames) == 0:
        return PickleLook(frames=0, kind=NONE)
    shapes = {frames.shape[1:]} if isinstance(frames, np.ndarray) else {np.shape(frame) for frame in frames}
    return PickleLook(len(frames), tuple(sorted(shapes)))


def odd_shapes(looks: Sequence[PickleLook]) -> Iterator[tuple[int, str]]:
    """Places of files whose frames have another shape than nearly all files have, and which.

    Where no shape is nearly everybody's, as with point clouds, none is odd.
    """
    known = Counter(look.shapes for look in looks if look.shapes)
    if not known:
        return
    (usual, count), total = known.most_common(1)[0], known.total()
    if count < COMMON * total:
        return
    for place, look in enumerate(looks):
        if look.shapes and look.shapes != usual:
            shapes = " and ".join(map(str, look.shapes[:3]))
            yield place, f"{shapes} where {count:,} of {total:,} files have {usual[0]}"
