"""What the bytes of a mask file may be, judged when masks are opened, read and checked. Imports no torch.

A wrong scale does not show in a loss: where classes are meant, a mask of 0 and 255 is empty, and so is one of 0 and 1
where probabilities of 0 to 255 are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from opengait.data.images import DAMAGE, reason_of
from opengait.data.problems import Problem
from opengait.errors import ConfigError, DataError

SCALE, UNREADABLE, ASPECT, EMPTY = "mask of another scale", "unreadable mask", "mask of another shape", "empty masks"
# Image modes whose bytes are class numbers (or probabilities), not colours.
MODES = ("1", "L", "P")
LARGEST_CLASS = 255
# A soft mask whose largest value is smaller has no foreground; a class map does not have more classes.
LEAST_PEAK, MOST_CLASSES = 32, 160
# Sides of a mask and its frame in proportion may differ by this factor, since sizes are rounded.
ASPECT_TOLERANCE = 1.1


class MaskLook(NamedTuple):
    """A mask file: its size and its different values."""

    height: int
    width: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class MaskValues:
    """The meaning of masks' bytes (`data_cfg.mask_classes`, `data_cfg.mask_soft`).

    Args:
        classes: the class numbers that are foreground: a list for one map, a list of lists for one map each; None takes
            every class except 0.
        soft: bytes are the probability of foreground, 0 to 255.
    """

    classes: Any = None
    soft: bool = False

    def table(self) -> np.ndarray:
        """Return for each map the value of every byte: uint8 (maps, 256), 255 for foreground.

        Raises:
            ConfigError: `classes` is neither a list of class numbers nor a list of such lists, or is empty.
        """
        return np.arange(256, dtype=np.uint8)[None] if self.soft else table_of(self.classes)

    def open(self, path: Path) -> Image.Image:
        """Open a mask, one byte per pixel.

        Raises:
            DataError: the file is missing, damaged or a colour image, or its values cannot be classes.
        """
        try:
            with Image.open(path) as image:
                if image.mode not in MODES or (self.soft and image.mode == "P"):
                    expected = "grey" if self.soft else "grey or palette"
                    raise DataError(
                        f"The mask {path}: expected a {expected} PNG whose bytes are "
                        f"{'probabilities' if self.soft else 'class numbers'}, got mode {image.mode} "
                        f"(datasets/MASKS.md)."
                    )
                picture = image.convert("L") if self.soft else image.copy()
        except DAMAGE as error:
            raise DataError(f"Cannot read the mask {path}: {reason_of(error)}.") from error
        if self.classes is not None and values_of(picture) in ((255,), (0, 255)) and not self.table()[:, 255].any():
            raise DataError(
                f"The mask {path}: expected class numbers for data_cfg.mask_classes {self.classes}, got a mask of 0 "
                f"and 255; remove mask_classes."
            )
        return picture

    def look(self, path: str) -> MaskLook | Problem:
        """Return the size and the values of a mask, or why there are none, for a check of many."""
        try:
            picture = self.open(Path(path))
        except DataError as error:
            # A problem names the file itself.
            return Problem(UNREADABLE, path, str(error).rpartition(f"{path}: ")[2].removesuffix("."))
        return MaskLook(picture.height, picture.width, values_of(picture))

    def judge(self, found: Sequence[MaskLook | Problem], root: Path) -> Iterator[Problem]:
        """Yield the problems of masks, and one more if none of them can be what the configuration says.

        Args:
            found: what `look` returned for each.
            root: their folder, for the message.
        """
        yield from (problem for problem in found if isinstance(problem, Problem))
        looks = [look for look in found if isinstance(look, MaskLook)]
        values = sorted({value for look in looks for value in look.values})
        if not looks:
            return
        table, plain = self.table(), self.classes is None and not self.soft
        present = table[:, values].any(axis=1)
        meaning = "mask_soft: true" if self.soft else f"mask_classes: {self.classes}"
        where, seen = f"data_cfg.mask_root {root}", f"{range_of(values)} in {len(looks):,} masks"
        if self.soft and values[-1] < LEAST_PEAK:
            yield Problem(SCALE, where, f"{seen}, where mask_soft: true means probabilities of 0 to 255; remove it")
        elif not present.any():
            yield Problem(SCALE, where, f"{seen}, where {meaning} finds no foreground; correct the key or the masks")
        elif plain and 0 not in values:
            yield Problem(SCALE, where, f"{seen}, none of them background (0); name the foreground in mask_classes")
        elif plain and len(values) > MOST_CLASSES:
            yield Problem(SCALE, where, f"{seen}, which seem to be probabilities; set mask_soft: true")
        elif self.classes is not None and values[-1] == 1 and table[:, 2:].any():
            what = f"{seen}, which may be masks and not the classes of {meaning}"
            yield Problem(SCALE, where, what, fatal=False)
        elif not present.all():
            what = f"{seen}: map {np.flatnonzero(~present)[0] + 1} of {meaning} is empty"
            yield Problem(EMPTY, where, what, fatal=False)


def values_of(picture: Image.Image) -> tuple[int, ...]:
    """Return the different byte values of a picture, in order."""
    counts = np.bincount(np.asarray(picture, dtype=np.uint8).ravel(), minlength=256)
    return tuple(np.flatnonzero(counts).tolist())


def range_of(values: Sequence[int]) -> str:
    """Describe values in order, all of them if there are few."""
    shown = ", ".join(map(str, values)) if len(values) < 7 else f"{values[0]} to {values[-1]} ({len(values)} different)"
    return f"values {shown}"


def aspect_problem(path: Path, mask: MaskLook, frame: tuple[int, int]) -> Iterator[Problem]:
    """Yield a problem if a mask has other proportions than its frame of this (height, width)."""
    ratio = mask.height * frame[1] / max(1, mask.width * frame[0])
    if frame[0] and not 1 / ASPECT_TOLERANCE < ratio < ASPECT_TOLERANCE:
        what = f"{mask.height} x {mask.width} for a frame of {frame[0]} x {frame[1]}; both are stretched to frame_size"
        yield Problem(ASPECT, str(path), what, fatal=False)


def table_of(classes: Any) -> np.ndarray:
    """Return for each map the value of every class number: uint8 (maps, 256), 255 for foreground.

    Raises:
        ConfigError: `classes` is neither a list of class numbers nor a list of such lists, or is empty.
    """
    if classes is None:
        return np.array([[0, *[255] * LARGEST_CLASS]], np.uint8)
    groups = [classes] if isinstance(classes, list | tuple) and all(map(is_class, classes)) else classes
    if not isinstance(groups, list | tuple) or not groups or not all(map(_is_group, groups)):
        raise ConfigError(
            f"data_cfg.mask_classes: expected class numbers from 0 to {LARGEST_CLASS}, such as [1, 2, 13], or a list "
            f"of such lists for several maps, got {classes!r}."
        )
    table = np.zeros((len(groups), LARGEST_CLASS + 1), np.uint8)
    for row, group in zip(table, groups, strict=True):
        row[list(group)] = 255
    return table


def is_class(number: Any) -> bool:
    """Return whether this is a valid class number."""
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= LARGEST_CLASS


def _is_group(group: Any) -> bool:
    return isinstance(group, list | tuple) and len(group) > 0 and all(map(is_class, group))
