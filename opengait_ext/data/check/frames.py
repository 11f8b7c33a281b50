"""The check of frame files and of their sizes. Imports little, so that checking processes start fast."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from PIL import Image

from opengait.data.deep_pixels import bits_of, values_of
from opengait.data.images import (
    DAMAGE,
    MOST_BYTES,
    has_end_marker,
    is_of_size,
    jpeg_header,
    open_picture,
    orientation_of,
    reason_of,
)
from opengait.data.packs.read import Pack
from opengait.utils.regular_files import read_file
from opengait_ext.data.check.pool import check_all
from opengait_ext.data.check.report import PixelCounts, Report
from opengait_ext.data.summary import remark_lines
from opengait_ext.data.tracklet import Tracklet

MISSING, EMPTY, FOLDER = "missing frame", "empty frame file", "folder in the place of a frame"
UNREADABLE, TRUNCATED, ODD = "unreadable frame", "truncated frame", "frame of odd size"
MIXED = "tracklet of frames with 8 bits and with more"
BITS = " bits"
PLAIN_MODES = ("1", "L", "RGB")
JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
# A size is the usual one if at least this share of all frames has it, and others are then odd. Without a usual size, a
# frame is odd if it cannot show a standing person: it has a side of fewer pixels, or is wider than high by this factor.
COMMON, LEAST_SIDE, WIDEST = 0.95, 8, 1.5


class Look(NamedTuple):
    """The result for a frame: its size, (0, 0) if unknown, and the kind and details of a problem, if there is one.

    `mode` is Pillow's, with the bits per value if they are more than 8; `values` are the lowest and the highest value,
    None if they were not decoded. `several` says that the file holds several pictures, as animations do.
    """

    height: int = 0
    width: int = 0
    kind: str = ""
    what: str = ""
    mode: str = ""
    values: tuple[float, float] | None = None
    several: bool = False


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
            data = read_file(path, MOST_BYTES) if self.pack is None else self.pack.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return Look(kind=MISSING)
        except IsADirectoryError:
            return Look(kind=FOLDER)
        except OSError as error:
            return Look(kind=UNREADABLE, what=reason_of(error))
        if not len(data):
            return Look(kind=EMPTY)
        header = jpeg_header(data) if self.fast else None
        # Pillow decides about a JPEG with data after its end, or without an end, and about one that may be turned.
        if header is not None and not header.exif and has_end_marker(data) and is_of_size(header.width, header.height):
            return Look(header.height, header.width, mode=JPEG_MODES.get(header.components, ""))
        return self.decode(data)

    def decode(self, data: bytes | memoryview) -> Look:
        """Decode a frame with Pillow, which decides whether it is readable."""
        size: tuple[int, int] = (0, 0)
        try:
            with open_picture(data) as image:
                size = image.size if orientation_of(image) < 5 else image.size[::-1]
                if self.fast and image.format == "JPEG" and has_end_marker(data):
                    return Look(size[1], size[0], mode=image.mode)
                several = image.format != "MPO" and getattr(image, "is_animated", False)
                mode, values = pixels_of(image, data)
                return Look(size[1], size[0], mode=mode, values=values, several=several)
        except DAMAGE as error:
            reason = reason_of(error)
            return Look(size[1], size[0], TRUNCATED if "truncated" in reason.lower() else UNREADABLE, reason)


def pixels_of(image: Image.Image, data: bytes | memoryview) -> tuple[str, tuple[float, float]]:
    """Return the mode of an opened image, with its bits per value if they are more than 8, and its extreme values."""
    values = values_of(image, data)
    if values is not None:
        return f"{image.mode}, {bits_of(image, data)}{BITS}", (float(values.min()), float(values.max()))
    # The indices of a palette are not values, and transparency is not read.
    extrema: Any = (image if image.mode in PLAIN_MODES else image.convert("RGB")).getextrema()
    pairs = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return image.mode, (min(low for low, _ in pairs), max(high for _, high in pairs))


def check_frames(
    splits: Mapping[str, Sequence[Tracklet]], report: Report, frame_check: FrameCheck, workers: int, progress: bool
) -> None:
    """Check every frame of the tracklets once, and add the problems, sizes, modes and values to the report."""
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
    _check_modes(splits, dict(zip(paths, looks, strict=True)), report)
    report.frames = len(paths)
    several = sum(look.several for look in looks)
    report.remarks += remark_lines([(several, "files hold several pictures; only the first is read")])


def _check_modes(splits: Mapping[str, Sequence[Tracklet]], looks: Mapping[str, Look], report: Report) -> None:
    """Count modes and values by modality, and find tracklets that mix 8 bits and more."""
    frames: dict[str, dict[str, Look]] = {}
    for split, tracklets in splits.items():
        for tracklet in tracklets:
            seen = {path: looks[path] for path in map(str, tracklet.frames) if looks[path].mode}
            frames.setdefault(str(tracklet.modality), {}).update(seen)
            example = {look.mode: path.removeprefix(f"{report.root}/") for path, look in seen.items()}
            if len({BITS in mode for mode in example}) > 1:
                examples = "; ".join(f"{mode}: {path}" for mode, path in example.items())
                report.add(MIXED, f"{split}, person {tracklet.person}, {tracklet.view}", examples)
    for modality, seen in frames.items():
        counts = report.pixels.setdefault(modality, {})
        for path, look in seen.items():
            counts.setdefault(look.mode, PixelCounts()).add(path.removeprefix(f"{report.root}/"), look.values)
        flat = sum(len(count.single_valued) for count in counts.values())
        report.remarks += remark_lines([(flat, f"{modality} frames hold one single value (--report FILE lists them)")])


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
