"""Masks from another network (SCHP, Grapy-ML, ...), as a second feature after the frames.

`data_cfg.mask_root` names a folder that mirrors the dataset's: the mask of `<dataset_root>/<path>.jpg` is
`<mask_root>/<path>.png`. datasets/MASKS.md describes the files and how parsing networks write them.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from opengait.errors import ConfigError, DataError
from opengait_ext.data.tracklet import Tracklet

MASK_KEYS = ("mask_root", "mask_classes", "mask_soft")
# Image modes whose bytes are class numbers (or probabilities), not colours.
MODES = ("1", "L", "P")
LARGEST_CLASS = 255


class MaskTransform:
    """Convert masks, uint8 `[s, maps, h, w]`, to float32 from 0 to 1.

    In `transform` it follows the transform of the frames, which also crops and mirrors the masks.
    """

    moves_with_frames = True

    def __call__(self, x: np.ndarray | Tensor) -> Tensor:
        return self.finish(torch.as_tensor(x))

    def begin(self, frames: np.ndarray | Tensor, info: Any = None, masks: Any = None) -> tuple[Tensor, Any, Tensor]:
        """Return the masks unchanged, without random draws (`DeferrableTransform`)."""
        return torch.as_tensor(frames), masks, torch.empty(len(frames), 0)

    def finish(self, frames: Tensor, drawn: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Divide the bytes by 255, into `out` if given."""
        out = torch.empty(frames.shape, dtype=torch.float32, device=frames.device) if out is None else out
        return out.copy_(frames).div_(255)


class MaskFolder:
    """A folder of parsing maps or masks with the layout of the frames.

    Args:
        root: the folder.
        dataset_root: the root folder of the frames' paths.
        classes: the class numbers that are foreground: a list for one map, a list of lists for one map each; None takes
            every class except 0.
        soft: files hold the probability of foreground, 0 to 255, instead of classes.
    """

    def __init__(
        self,
        root: str | Path,
        dataset_root: str | Path,
        classes: Sequence[int] | Sequence[Sequence[int]] | None = None,
        soft: bool = False,
    ) -> None:
        self.root = Path(root).expanduser().absolute()
        self.dataset_root = Path(dataset_root).expanduser().absolute()
        self.soft = soft
        self.table = np.arange(256, dtype=np.uint8)[None] if soft else table_of(classes)

    @property
    def maps(self) -> int:
        """The number of maps of a frame."""
        return len(self.table)

    def path_of(self, frame: str | Path) -> Path:
        """Return the file of a frame's mask."""
        return (self.root / os.path.relpath(frame, self.dataset_root)).with_suffix(".png")

    def source(self, frames: Sequence[Path], size: tuple[int, int]) -> "MaskFrames":
        """Return the masks of these frames as a frame source of `size` (height, width)."""
        return MaskFrames(self, frames, size)

    def check(self, tracklets: Iterable[Tracklet]) -> None:
        """Check that every frame has a mask; folders are listed, no file is opened.

        Raises:
            DataError: masks are missing; the message names the first and their number.
        """
        names: dict[str, set[str]] = {}
        frames, missing, first = 0, 0, None
        for tracklet in tracklets:
            for frame in tracklet.frames:
                folder, file = os.path.split(frame)
                if folder not in names:
                    masks = self.root / os.path.relpath(folder, self.dataset_root)
                    names[folder] = {mask.name for mask in masks.iterdir()} if masks.is_dir() else set()
                frames += 1
                if f"{file.rpartition('.')[0]}.png" not in names[folder]:
                    missing += 1
                    first = first or self.path_of(frame)
        if missing:
            raise DataError(
                f"{missing:,} of {frames:,} frames have no mask under data_cfg.mask_root, the first of them {first}; "
                f"arrange the masks as datasets/MASKS.md describes."
            )

    def read(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """Read a mask, uint8 (maps, height, width), 255 for foreground.

        Class maps are resized by nearest neighbour, since class numbers cannot be averaged; probabilities bilinearly.

        Raises:
            DataError: the file is missing, damaged or a colour image.
        """
        height, width = size
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
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DataError(f"Cannot read the mask {path}: {reason}.") from error
        if picture.size != (width, height):
            method = Image.Resampling.BILINEAR if self.soft else Image.Resampling.NEAREST
            picture = picture.resize((width, height), method)
        return self.table[:, np.asarray(picture, dtype=np.uint8)]


class MaskFrames:
    """Masks of a tracklet as frames, uint8 `[k, maps, h, w]`, decoded when indexed.

    Args:
        folder: the masks.
        frames: the frames' files, in order.
        size: (height, width) of the masks.
    """

    def __init__(self, folder: MaskFolder, frames: Sequence[Path], size: tuple[int, int]) -> None:
        self.folder = folder
        self.frames = frames
        self.size = size

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the masks of these frames; a frame that is indexed twice is decoded once.

        Raises:
            DataError: a file cannot be read; the message names it.
        """
        numbers = [int(index) for index in indices]
        decoded = {
            number: self.folder.read(self.folder.path_of(self.frames[number]), self.size) for number in set(numbers)
        }
        shape = (len(numbers), self.folder.maps, *self.size)
        return np.stack([decoded[number] for number in numbers]) if numbers else np.empty(shape, np.uint8)

    def __repr__(self) -> str:
        return f"MaskFrames({len(self.frames)} masks in {str(self.folder.root)!r})"


def table_of(classes: Sequence[int] | Sequence[Sequence[int]] | None) -> np.ndarray:
    """Return for each map the value of every class number: uint8 (maps, 256), 255 for foreground.

    Raises:
        ConfigError: `classes` is neither a list of class numbers nor a list of such lists, or is empty.
    """
    if classes is None:
        table = np.full((1, LARGEST_CLASS + 1), 255, np.uint8)
        table[0, 0] = 0
        return table
    valid = isinstance(classes, list | tuple) and len(classes) > 0
    groups: Sequence[Any] = []
    if valid:
        groups = [classes] if all(isinstance(number, int) for number in classes) else classes
    table = np.zeros((len(groups), LARGEST_CLASS + 1), np.uint8)
    for row, group in zip(table, groups, strict=True):
        valid = valid and isinstance(group, list | tuple) and len(group) > 0 and all(map(is_class, group))
        if valid:
            row[list(group)] = 255
    if not valid:
        raise ConfigError(
            f"data_cfg.mask_classes: expected class numbers from 0 to {LARGEST_CLASS}, such as [1, 2, 13], or a list "
            f"of such lists for several maps, got {classes!r}."
        )
    return table


def is_class(number: Any) -> bool:
    """Return whether this is a valid class number."""
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= LARGEST_CLASS


def open_masks(data_cfg: dict[str, Any], tracklets: Iterable[Tracklet]) -> MaskFolder | None:
    """Open the folder that `mask_root` names and check that every frame has a mask; return None without the key.

    Raises:
        ConfigError: a key is invalid, or has no effect without `mask_root`.
        DataError: the folder or a mask is missing.
    """
    root, classes, soft = (data_cfg.get(key) for key in MASK_KEYS)
    if root is None:
        if classes is not None or soft is not None:
            key = "mask_classes" if classes is not None else "mask_soft"
            raise ConfigError(f"data_cfg.{key} is set without data_cfg.mask_root; name the folder of masks there.")
        return None
    if not isinstance(soft, bool | None):
        raise ConfigError(f"data_cfg.mask_soft: expected true or false, got {soft!r}.")
    if soft and classes is not None:
        raise ConfigError("data_cfg.mask_soft means that files hold probabilities; remove data_cfg.mask_classes.")
    if not Path(root).expanduser().is_dir():
        raise DataError(
            f"There is no folder of masks {root}; create it as datasets/MASKS.md describes and pass it "
            f"with --set data_cfg.mask_root=PATH."
        )
    folder = MaskFolder(root, data_cfg["dataset_root"], classes, bool(soft))
    folder.check(tracklets)
    return folder
