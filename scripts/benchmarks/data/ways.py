"""Four ways from the files of tracklets to batches for the model.

    raw     this project's loader, image files
    pack    this project's loader, a pack of the same files
    pickle  OpenGait's way: one pickle per tracklet, which a worker reads whole and picks frames from; transforms run in
            the main process
    plain   the usual way of re-identification code: Pillow and torchvision, frame by frame in the workers; only picked
            frames are opened

All iterate over the tracklets in the same order, pick the same number of frames per tracklet and return float32
`[n, s, 3, h, w]`, normalised. In test mode the values are equal; in training, all crop, flip, erase and change channels
in the same way with different random draws.
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
    """Return (a) or (b), the engine's loader, from files or from the pack that `data` was read from."""
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
    """OpenGait's dataset: an item is read whole when it is indexed."""

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
    """Return (c), upstream's loader and `inputs_pretreament` without the copy to a GPU.

    Upstream normalises a tracklet's array in float64 (`BaseRgbTransform`). It does not crop and flip whole RGB
    tracklets; here this happens on bytes before the normalisation and the rest on floats after it, which is cheapest.
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
        for (arrays,), _, types, _, _ in loader:
            if settings.augment:
                yield torch.stack([augmented(x, kind) for x, kind in zip(arrays, types, strict=True)])
            else:
                yield torch.from_numpy(np.asarray([normalise(x) for x in arrays], dtype=np.float32))

    return batches


class PlainTracklets(Dataset):
    """A dataset whose frames are opened and transformed one by one."""

    def __init__(self, tracklets: Sequence[Tracklet], settings: Any) -> None:
        self.tracklets = tracklets
        self.pick = FramePicker.from_config(settings.picking())
        size = list(settings.frame_size)
        moves = [tv.Pad(10), tv.RandomCrop(size), tv.RandomHorizontalFlip()] if settings.augment else []
        # Pillow's own resizing always uses antialiasing.
        self.transform = tv.Compose(
            [tv.Resize(size, antialias=True), *moves, tv.ToTensor(), tv.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
        )
        self.erase = ChannelErasing(0.5) if settings.augment else None
        self.grey = ChannelAdaptiveGrey(0.5) if settings.augment else None

    def __len__(self) -> int:
        return len(self.tracklets)

    def __getitem__(self, index: int) -> Tensor:
        tracklet = self.tracklets[index]
        return torch.stack([self.frame(tracklet, number) for number in self.pick(len(tracklet.frames))])

    def frame(self, tracklet: Tracklet, number: int) -> Tensor:
        """Return one frame, `[3, h, w]`."""
        x = self.transform(Image.open(tracklet.frames[number]).convert("RGB"))
        if self.erase is not None:
            x = self.erase(x[None])[0]
        if self.grey is not None and tracklet.modality is Modality.INFRARED:
            x = self.grey(x[None])[0]
        return x


def plain(tracklets: Sequence[Tracklet], settings: Any) -> Callable[[], Iterator[Tensor]]:
    """Return (d), Pillow and torchvision in torch's loader."""
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
    """Write every tracklet as OpenGait's preparation does: uint8 `[frames, 3, h, w]`, one pickle per tracklet."""
    paths = []
    for tracklet in tqdm(tracklets, desc="pickling", unit="tracklet", disable=not progress):
        path = folder / str(tracklet.person) / tracklet.modality / tracklet.view / "rgbs.pkl"
        if not path.exists():
            frames = ImageFrames(tracklet.frames, frame_size)[range(len(tracklet.frames))]
            write_whole(path, lambda partial, frames=frames: partial.write_bytes(pickle.dumps(frames)))
        paths.append(path)
    return paths
