"""Looking at one frame file, and at the sizes of all. Imports little, so that processes start fast."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from opengait.data.images import DAMAGE, ends_whole, jpeg_header, reason_of
from opengait.data.packs.read import Pack

MISSING, EMPTY, FOLDER = "missing frame", "empty frame file", "folder in the place of a frame"
UNREADABLE, TRUNCATED, ODD = "unreadable frame", "truncated frame", "frame of odd size"
# A size that this share of all frames has is the data set's; without one, only shapes that show no standing person are
# odd: a side of fewer pixels, or a picture that much wider than high.
COMMON, LEAST_SIDE, WIDEST = 0.95, 8, 1.5


class Look(NamedTuple):
    """What one look at a frame gave: its size, (0, 0) if unknown, and a kind of problem with its detail, or nothing."""

    height: int = 0
    width: int = 0
    kind: str = ""
    what: str = ""


@dataclass(frozen=True)
class FrameCheck:
    """How to look at frames.

    Attributes:
        pack: the pack that they lie in, or None for files.
        fast: read the header and look for the end marker instead of decoding.
    """

    pack: Pack | None = None
    fast: bool = False

    def __call__(self, path: str) -> Look:
        """Look at one frame."""
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
        # A JPEG that goes on after its end, or has none, is decoded after all.
        if header is not None and ends_whole(data):
            return Look(header.height, header.width)
        return self.decode(data)

    def decode(self, data: bytes | memoryview) -> Look:
        """Decode a frame as the data reader's reference, Pillow, does."""
        size = (0, 0)
        try:
            with Image.open(io.BytesIO(data)) as image:
                size = image.size
                image.load()
        except DAMAGE as error:
            reason = reason_of(error)
            return Look(size[1], size[0], TRUNCATED if "truncated" in reason.lower() else UNREADABLE, reason)
        return Look(size[1], size[0])


def odd_sizes(looks: Sequence[Look]) -> Iterator[tuple[int, str]]:
    """Places of frames of odd size, and what is odd about each."""
    sizes = Counter((look.height, look.width) for look in looks if look.height)
    if not sizes:
        return
    (usual, count), total = sizes.most_common(1)[0], sizes.total()
    for place, look in enumerate(looks):
        height, width = look.height, look.width
        if not height or (height, width) == usual:
            continue
        if count >= COMMON * total:
            yield place, f"{height} x {width} where {count:,} of {total:,} frames are {usual[0]} x {usual[1]}"
        elif min(height, width) < LEAST_SIDE or width > WIDEST * height:
            yield place, f"{height} x {width}"
