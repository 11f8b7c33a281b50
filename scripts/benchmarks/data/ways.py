"""Four ways from the files of a tracklet to a batch for the model, each an iterable over all tracklets in one order.

    raw     this project's loader, image files
    pack    this project's loader, a pack of the same files
    pickle  OpenGait's way: a pickle a tracklet, read whole by a worker, frames picked there, transforms in the main
            process
    plain   the usual way of re-identification code: Pillow and torchvision, frame by frame in the workers; only the
            picked frames are opened

All pick the same number of frames a tracklet and give float32 `[n, s, 3, h, w]`, normalised. In test mode they give the
same numbers; in training they crop, flip, erase and change channels alike, with draws of their own.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as tv
from tqdm import tqdm

from opengait.data.collate_fn import CollateFn
from opengait.data.frame_picker import FramePicker
from opengait.data.frames import ImageFrames, PickledFrames
from opengait.data.loader import build_loader
from opengait.data.transform import BaseRgbTransform
from opengait.utils.files import write_whole
from opengait_ext.data import HITSZVCM, Modality, Tracklet
from opengait_ext.data.augment import (
    ChannelAdaptiveGrey,
    ChannelErasing,
    CrossModalAugmentation,
    Flip,
    Normalise,
    PadCrop,
)
from opengait_ext.data.channels import IMAGENET_MEAN, IMAGENET_STD
from opengait_ext.data.readers import CrossModalDataSet

NAMES = {
    "raw": "(a) this loader, image files",
    "pack": "(b) this loader, a pack",
    "pickle": "(c) OpenGait's way: whole-tracklet pickles, transforms on the main process",
    "plain": "(d) the plain way: Pillow and torchvision, frame by frame",
}


def ours(data: HITSZVCM, tracklets: Sequence[Tracklet], settings: Any) -> Callable[[], Iterator[Tensor]]:
    """(a) and (b): the engine's loader, from files or from the pack that `data` was read from."""
    dataset = CrossModalDataSet(tracklets, [str(t.person) for t in tracklets], settings.frame_size, pack=data.pack)
    transform = CrossModalAugmentation() if settings.augment else Normalise()
    loader = build_loader(
        dataset,
        {"type": "InferenceSampler", "batch_size": settings.batch, **settings.picking()},
        [transform],
        training=False,
        seed=0,
        num_workers=settings.workers,
    )
    return lambda: (batch[0][0] for batch in loader)


class PickledTracklets(Dataset):
    """OpenGait's data set: an item is read whole when it is asked for."""

    def __init__(self, paths: Sequence[Path], tracklets: Sequence[Tracklet]) -> None:
        self.paths = paths
        self.infos = [[str(t.person), str(t.modality), t.view, []] for t in tracklets]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[list[PickledFrames], list]:
        frames = PickledFrames(self.paths[index])
        frames.load()
        return [frames], self.infos[index]


def pickled(paths: Sequence[Path], tracklets: Sequence[Tracklet], settings: Any) -> Callable[[], Iterator[Tensor]]:
    """(c): what upstream's loader and `inputs_pretreament` do, without the copy to a GPU.

    Upstream normalises a tracklet's array in float64 (`BaseRgbTransform`). Crop and flip, which upstream has none of
    for whole RGB tracklets, move bytes before that and the rest changes floats after it, as cheap as it can be.
    """
    dataset = PickledTracklets(paths, tracklets)
    collate = CollateFn(sorted({info[0] for info in dataset.infos}), settings.picking())
    loader = DataLoader(
        dataset,
        batch_size=settings.batch,
        collate_fn=collate,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
    )
    normalise = BaseRgbTransform()
    crop, flip, erase, grey = PadCrop(10), Flip(0.5), ChannelErasing(0.5), ChannelAdaptiveGrey(0.5)

    def augmented(x: np.ndarray, kind: str) -> Tensor:
        moved = flip(crop(torch.from_numpy(x))).numpy()
        y = erase(torch.from_numpy(np.asarray(normalise(moved), dtype=np.float32)))
        return grey(y) if kind == Modality.INFRARED else y

    def batches() -> Iterator[Tensor]:
        for (tracklets_,), _, types, _, _ in loader:
            if settings.augment:
                yield torch.stack([augmented(x, kind) for x, kind in zip(tracklets_, types, strict=True)])
            else:
                yield torch.from_numpy(np.asarray([normalise(x) for x in tracklets_], dtype=np.float32))

    return batches


class PlainTracklets(Dataset):
    """Frames opened and transformed one by one."""

    def __init__(self, tracklets: Sequence[Tracklet], settings: Any) -> None:
        self.tracklets = tracklets
        self.pick = FramePicker.from_config(settings.picking())
        size = list(settings.frame_size)
        moves = [tv.Pad(10), tv.RandomCrop(size), tv.RandomHorizontalFlip()] if settings.augment else []
        # antialias is what Pillow's own resizing does.
        self.transform = tv.Compose(
            [tv.Resize(size, antialias=True), *moves, tv.ToTensor(), tv.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
        )
        self.erase = ChannelErasing(0.5) if settings.augment else None
        self.grey = ChannelAdaptiveGrey(0.5) if settings.augment else None

    def __len__(self) -> int:
        return len(self.tracklets)

    def __getitem__(self, index: int) -> Tensor:
        tracklet = self.tracklets[index]
        return torch.stack([self.frame(tracklet, place) for place in self.pick(len(tracklet.frames))])

    def frame(self, tracklet: Tracklet, place: int) -> Tensor:
        """One frame, `[3, h, w]`."""
        x = self.transform(Image.open(tracklet.frames[place]).convert("RGB"))
        if self.erase is not None:
            x = self.erase(x[None])[0]
        if self.grey is not None and tracklet.modality is Modality.INFRARED:
            x = self.grey(x[None])[0]
        return x


def plain(tracklets: Sequence[Tracklet], settings: Any) -> Callable[[], Iterator[Tensor]]:
    """(d)"""
    loader = DataLoader(
        PlainTracklets(tracklets, settings),
        batch_size=settings.batch,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
    )
    return lambda: iter(loader)


def write_pickles(
    tracklets: Sequence[Tracklet], folder: Path, frame_size: tuple[int, int], progress: bool = False
) -> list[Path]:
    """OpenGait's preparation: every tracklet as one array uint8 `[frames, 3, h, w]` in a pickle of its own."""
    paths = []
    for tracklet in tqdm(tracklets, desc="pickling", unit="tracklet", disable=not progress):
        path = folder / str(tracklet.person) / tracklet.modality / tracklet.view / "rgbs.pkl"
        if not path.exists():
            frames = ImageFrames(tracklet.frames, frame_size)[range(len(tracklet.frames))]
            write_whole(path, lambda partial, frames=frames: partial.write_bytes(pickle.dumps(frames)))
        paths.append(path)
    return paths
