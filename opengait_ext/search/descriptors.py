"""Descriptors of tracklets, and the file that stores them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from opengait.data.frame_picker import uniform
from opengait.errors import DataError
from opengait.utils.files import read_arrays, write_whole
from opengait_ext.data import Modality
from opengait_ext.data.augment import Normalise
from opengait_ext.models import DinoGRLNet
from opengait_ext.search.inputs import Clip
from opengait_ext.search.video import VideoTrack


@dataclass(frozen=True)
class Descriptors:
    """Descriptors of n tracklets and their origin.

    Attributes:
        embeddings: float32 (n, c, p).
        names, types, folders: n strings each; types are modalities, folders hold the frames ("" for videos).
        cfgs, checkpoint: configuration file and checkpoint of the network.
        checkpoint_sha256: digest of the checkpoint; descriptors of different networks are not comparable.
        frames: number of frames used per tracklet.
        overrides: changes to the configuration, as `KEY=VALUE`.
    """

    embeddings: np.ndarray
    names: np.ndarray
    types: np.ndarray
    folders: np.ndarray
    cfgs: str
    checkpoint: str
    checkpoint_sha256: str
    frames: int
    overrides: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


@torch.inference_mode()
def embed(network: DinoGRLNet, clips: Sequence[Clip], frames: int, batch: int = 8) -> np.ndarray:
    """Return descriptors, float32 (n, c, p), of `frames` evenly spread frames of each clip; short clips repeat some.

    Args:
        network: the network, in evaluation mode.
        clips: the clips to describe.
        frames: frames per clip.
        batch: clips per forward pass.
    """
    device = next(network.parameters()).device
    normalise = Normalise()
    descriptors = []
    with tqdm(total=len(clips), desc="Describing", unit=" tracklets", disable=not sys.stderr.isatty()) as bar:
        decoded = decode(clips, frames)
        for start in range(0, len(clips), batch):
            part = clips[start : start + batch]
            pictures = np.stack([next(decoded) for _ in part])
            modality = torch.tensor([clip.modality.number for clip in part], device=device)
            inputs = normalise(torch.from_numpy(pictures).to(device).flatten(0, 1)).unflatten(0, (len(part), frames))
            descriptors.append(network(inputs, modality).descriptor.float().cpu().numpy())
            bar.update(len(part))
    return np.concatenate(descriptors)


def decode(clips: Sequence[Clip], frames: int) -> Iterator[np.ndarray]:
    """Yield `frames` evenly spread frames of each clip, uint8 (frames, 3, h, w).

    Consecutive tracks of one video are decoded in one pass.
    """
    for video, group in groupby(clips, key=lambda clip: clip.video):
        sources = [clip.source for clip in group]
        if video is None:
            yield from (source[uniform(len(source), frames)] for source in sources)
        else:
            tracks = [source for source in sources if isinstance(source, VideoTrack)]
            boxes = [track.boxes[index] for track in tracks for index in uniform(len(track), frames)]
            yield from video.cut(boxes).reshape(len(tracks), frames, 3, *video.size)


def save_descriptors(path: str | Path, descriptors: Descriptors) -> Path:
    """Write descriptors atomically as an .npz file without pickled objects, and return its path."""
    path = Path(path).with_suffix(".npz")
    arrays: dict[str, Any] = {name: np.asarray(getattr(descriptors, name)) for name in Descriptors.__dataclass_fields__}
    arrays["overrides"] = np.asarray(descriptors.overrides, dtype=np.str_)
    write_whole(path, lambda partial: np.savez(partial, **arrays))
    return path


def load_descriptors(path: str | Path) -> Descriptors:
    """Read a file written by `save_descriptors`.

    Raises:
        DataError: the file is missing or not a valid file of descriptors.
    """
    path = Path(path)
    arrays = read_arrays(path, Descriptors.__dataclass_fields__, "vvi embed")
    if arrays["embeddings"].ndim != 3 or not len(arrays["embeddings"]) == len(arrays["names"]) == len(arrays["types"]):
        raise DataError(f"The numbers of descriptors and names in {path} differ; write the file again with vvi embed.")
    unknown = sorted(set(arrays["types"].tolist()) - set(Modality))
    if unknown:
        raise DataError(f"{path} has a tracklet of modality {unknown[0]!r}; expected {' or '.join(Modality)}.")
    return Descriptors(
        embeddings=arrays["embeddings"],
        names=arrays["names"],
        types=arrays["types"],
        folders=arrays["folders"],
        cfgs=str(arrays["cfgs"]),
        checkpoint=str(arrays["checkpoint"]),
        checkpoint_sha256=str(arrays["checkpoint_sha256"]),
        frames=int(arrays["frames"]),
        overrides=tuple(arrays["overrides"].tolist()),
    )
