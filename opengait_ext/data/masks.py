"""Masks from another network (SCHP, Grapy-ML, ...), as a second feature after the frames.

`data_cfg.mask_root` names a folder that mirrors the dataset's: the mask of `<dataset_root>/<path>.jpg` is
`<mask_root>/<path>.png`. datasets/MASKS.md describes the files and how parsing networks write them.
"""

import io
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from opengait import distributed
from opengait.data.frame_picker import uniform
from opengait.data.images import DAMAGE
from opengait.data.packs.read import Pack
from opengait.data.problems import Problem, Strict
from opengait.errors import ConfigError, DataError
from opengait.utils.typed import setting
from opengait_ext.data.mask_values import MaskLook, MaskValues, aspect_problem
from opengait_ext.data.tracklet import Tracklet

log = logging.getLogger("opengait")
MISSING = "missing mask"

# The keys of `data_cfg`, with their types.
MASK_KEYS = {
    "mask_root": "path or null",
    "mask_classes": "list of int or list of list of int or null",
    "mask_soft": "bool or null",
}
# Masks that are opened when a run starts; more only if these few cannot be what the configuration says.
SAMPLE, LARGE_SAMPLE = 16, 256


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
        self.values = MaskValues(classes, soft)
        self.table = self.values.table()

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

    def check(self, tracklets: Iterable[Tracklet]) -> Iterator[Problem]:
        """Yield a problem if frames have no mask, or are their own; folders are listed, no file is opened."""
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
                elif frames == 1 and self.path_of(frame) == Path(frame):
                    yield Problem(MISSING, f"data_cfg.mask_root {self.root}", f"{frame} would be its own mask")
        if missing:
            what = (
                f"{missing:,} of {frames:,} frames have no mask, this one first; datasets/MASKS.md says where they go"
            )
            yield Problem(MISSING, str(first), what)

    def sample(self, tracklets: Sequence[Tracklet], pack: Pack | None = None) -> Iterator[Problem]:
        """Open a few masks spread over the tracklets, and yield a problem if they cannot be what is configured.

        Args:
            tracklets: the tracklets.
            pack: the pack of the frames, None for files.
        """
        for count in (SAMPLE, LARGE_SAMPLE):
            chosen = [tracklets[i] for i in uniform(len(tracklets), min(count, len(tracklets)))]
            frames = [tracklet.frames[len(tracklet.frames) // 2] for tracklet in chosen]
            looks = [self.values.look(str(self.path_of(frame))) for frame in frames]
            problems = list(self.values.judge(looks, self.root))
            if not problems:
                break
        yield from problems
        yield from self.aspects(frames, pack)

    def aspects(self, frames: Sequence[Path], pack: Pack | None) -> Iterator[Problem]:
        """Yield a problem for each of a few masks that has other proportions than its frame."""
        for index in uniform(len(frames), min(SAMPLE, len(frames))):
            path = self.path_of(frames[index])
            look = self.values.look(str(path))
            if isinstance(look, MaskLook):
                yield from aspect_problem(path, look, size_of(frames[index], pack))

    def read(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """Read a mask, uint8 (maps, height, width), 255 for foreground.

        Class maps are resized by nearest neighbour, since class numbers cannot be averaged; probabilities bilinearly.

        Raises:
            DataError: the file is missing, damaged or a colour image, or its values cannot be classes.
        """
        height, width = size
        picture = self.values.open(path)
        if picture.size != (width, height):
            method = Image.Resampling.BILINEAR if self.values.soft else Image.Resampling.NEAREST
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


def open_masks(
    data_cfg: Mapping[str, Any], tracklets: Sequence[Tracklet], pack: Pack | None = None
) -> MaskFolder | None:
    """Open the folder that `mask_root` names; return None without the key.

    Every frame must have a mask. The values of a few masks are compared with the configuration, and the others' when
    they are read; `vvi check-data --cfgs` opens all.

    Raises:
        ConfigError: a key is invalid, or has no effect without `mask_root`.
        DataError: the folder or a mask is missing, or masks cannot be what the configuration says.
    """
    folder = mask_folder(data_cfg)
    if folder is not None and tracklets:
        findings = Strict()
        findings.collect(folder.check(tracklets))
        findings.collect(folder.sample(tracklets, pack))
        for line in findings.warnings() if distributed.is_main() else ():
            log.warning(line)
    return folder


def mask_folder(data_cfg: Mapping[str, Any]) -> MaskFolder | None:
    """Return the folder that `mask_root` names, unchecked; None without the key.

    Raises:
        ConfigError: a key is invalid, or has no effect without `mask_root`.
        DataError: the folder is missing.
    """
    root, classes = data_cfg.get("mask_root"), data_cfg.get("mask_classes")
    soft = setting(data_cfg, "mask_soft", MASK_KEYS["mask_soft"])
    if root is None:
        if classes is not None or soft is not None:
            key = "mask_classes" if classes is not None else "mask_soft"
            raise ConfigError(f"data_cfg.{key} is set without data_cfg.mask_root; name the folder of masks there.")
        return None
    if soft and classes is not None:
        raise ConfigError("data_cfg.mask_soft means that files hold probabilities; remove data_cfg.mask_classes.")
    if not Path(root).expanduser().is_dir():
        raise DataError(
            f"There is no folder of masks {root}; create it as datasets/MASKS.md describes and pass it "
            f"with --set data_cfg.mask_root=PATH."
        )
    return MaskFolder(root, data_cfg["dataset_root"], classes, bool(soft))


def size_of(frame: Path, pack: Pack | None) -> tuple[int, int]:
    """Return (height, width) of a frame from its header; zeros if it cannot be read, which decoding reports."""
    try:
        with Image.open(frame if pack is None else io.BytesIO(pack.read(frame))) as image:
            return image.height, image.width
    except DAMAGE:
        return 0, 0
