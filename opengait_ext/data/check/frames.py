"""The check of frame files and of their sizes. Imports little, so that checking processes start fast."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from opengait.data.images import DAMAGE, has_end_marker, jpeg_header, reason_of
from opengait.data.packs.read import Pack
from opengait_ext.data.check.pool import check_all
from opengait_ext.data.check.report import Report
from opengait_ext.data.tracklet import Tracklet

MISSING, EMPTY, FOLDER = "missing frame", "empty frame file", "folder in the place of a frame"
UNREADABLE, TRUNCATED, ODD = "unreadable frame", "truncated frame", "frame of odd size"
# A size is the usual one if at least this share of all frames has it, and others are then odd. Without a usual size, a
# frame is odd if it cannot show a standing person: it has a side of fewer pixels, or is wider than high by this factor.
COMMON, LEAST_SIDE, WIDEST = 0.95, 8, 1.5


class Look(NamedTuple):
    """The result for a frame: its size, (0, 0) if unknown, and the kind and details of a problem, if there is one."""

    height: int = 0
    width: int = 0
    kind: str = ""
    what: str = ""


@dataclass(frozen=True)
class FrameCheck:
    """The check of one frame.

    Attributes:
        pack: the pack that holds the frames, None for files.
        fast: read the header and the end marker instead of decoding.
    """

    pack: Pack | None = None
    fast: bool = False

    def __call__(self, path: str) -> Look:
        """Check a frame."""
        try:
            data = Path(path).read_bytes() if self.pack is None else self.pack.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return Look(kind=MISSING)
        except IsADirectoryError:
            return Look(kind=FOLDER)
        except OSError as error:
            return Look(kind=UNREADABLE, what=reason_of(error))
        if not len(data):
            return Look(kind=EMPTY)
        header = jpeg_header(data) if self.fast else None
        # A JPEG with data after its end, or without an end, is decoded nevertheless.
        if header is not None and has_end_marker(data):
            return Look(header.height, header.width)
        return self.decode(data)

    def decode(self, data: bytes | memoryview) -> Look:
        """Decode a frame with Pillow, which decides whether it is readable."""
        size = (0, 0)
        try:
            with Image.open(io.BytesIO(data)) as image:
                size = image.size
                image.load()
        except DAMAGE as error:
            reason = reason_of(error)
            return Look(size[1], size[0], TRUNCATED if "truncated" in reason.lower() else UNREADABLE, reason)
        return Look(size[1], size[0])


def check_frames(
    splits: Mapping[str, Sequence[Tracklet]], report: Report, frame_check: FrameCheck, workers: int, progress: bool
) -> None:
    """Check every frame of the tracklets once, and add the problems and sizes to the report."""
    listed = (str(frame) for tracklets in splits.values() for tracklet in tracklets for frame in tracklet.frames)
    paths = list(dict.fromkeys(listed))
    looks = check_all(paths, frame_check, workers, progress)
    names = [path.removeprefix(f"{report.root}/") for path in paths]
    for name, look in zip(names, looks, strict=True):
        if look.kind:
            report.add(look.kind, name, look.what)
        if look.height:
            report.sizes[look.height, look.width] += 1
    for index, what in odd_sizes(looks):
        report.add(ODD, names[index], what)
    report.frames = len(paths)


def odd_sizes(looks: Sequence[Look]) -> Iterator[tuple[int, str]]:
    """Yield the index of each frame of odd size and a description of the problem."""
    sizes = Counter((look.height, look.width) for look in looks if look.height)
    if not sizes:
        return
    (usual, count), total = sizes.most_common(1)[0], sizes.total()
    for index, look in enumerate(looks):
        height, width = look.height, look.width
        if not height or (height, width) == usual:
            continue
        if count >= COMMON * total:
            yield index, f"{height} x {width} where {count:,} of {total:,} frames are {usual[0]} x {usual[1]}"
        elif min(height, width) < LEAST_SIDE or width > WIDEST * height:
            yield index, f"{height} x {width}"
