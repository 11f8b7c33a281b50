"""The check of pickled features. Imports little, so that checking processes start fast."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opengait.data.frames import PickledFrames
from opengait.data.silhouettes import problems_of_frames
from opengait.errors import DataError
from opengait_ext.data.check.frames import COMMON

MISSING, EMPTY, FOLDER = "missing file", "empty file", "folder in the place of a file"
UNREADABLE, TRUNCATED, NONE, ODD = "unreadable file", "truncated file", "no frames", "frames of odd shape"
# The first byte of a pickle since protocol 2, and the last of any.
PROTOCOL, STOP = b"\x80", b"."


class PickleLook(NamedTuple):
    """The result for a file: number of frames (-1 if unknown), shapes, range of values, a problem, if there is one."""

    frames: int = -1
    shapes: tuple[tuple[int, ...], ...] = ()
    kind: str = ""
    what: str = ""
    low: float = math.inf
    high: float = -math.inf


@dataclass(frozen=True)
class PickleCheck:
    """The check of one pickle; `fast` reads the first and the last byte only."""

    fast: bool = False

    def __call__(self, path: str) -> PickleLook:
        """Check a file."""
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
    """Check the first and the last byte of a pickle."""
    with file.open("rb") as opened:
        first = opened.read(1)
        opened.seek(-1, 2)
        last = opened.read(1)
    if last != STOP:
        return PickleLook(kind=TRUNCATED, what="its last byte is not the end of a pickle")
    return PickleLook() if first == PROTOCOL else content_of(file)


def content_of(file: Path) -> PickleLook:
    """Check a pickle by reading it as the dataset does."""
    try:
        frames = PickledFrames(file).load()
    except DataError as error:
        return PickleLook(kind=UNREADABLE, what=str(error))
    if len(frames) == 0:
        return PickleLook(frames=0, kind=NONE)
    shapes = {frames.shape[1:]} if isinstance(frames, np.ndarray) else {np.shape(frame) for frame in frames}
    values = np.asarray(frames if len(shapes) == 1 else ())
    if not values.size or values.dtype.kind not in "biuf":
        return PickleLook(len(frames), tuple(sorted(shapes)))
    # Only images are divided by 255, and not those of fractions, such as depths.
    images = values.ndim > 2 and min(values.shape[-2:]) > 4 and values.dtype.kind in "biu"
    kind, what = next(problems_of_frames(values if images or values.ndim > 3 else values[:0]), ("", ""))
    return PickleLook(len(frames), tuple(sorted(shapes)), kind, what, float(values.min()), float(values.max()))


def odd_shapes(looks: Sequence[PickleLook]) -> Iterator[tuple[int, str]]:
    """Yield the index of each file whose frames do not have the shape of nearly all files, and both shapes.

    Without a usual shape, as with point clouds, no shape is odd.
    """
    known = Counter(look.shapes for look in looks if look.shapes)
    if not known:
        return
    (usual, count), total = known.most_common(1)[0], known.total()
    if count < COMMON * total:
        return
    for index, look in enumerate(looks):
        if look.shapes and look.shapes != usual:
            shapes = " and ".join(map(str, look.shapes[:3]))
            yield index, f"{shapes} where {count:,} of {total:,} files have {usual[0]}"
