"""Tracklets to descriptors, and the file that keeps them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

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


@dataclass(frozen=True)
class Descriptors:
    """Descriptors of n tracklets and where they are from.

    Attributes:
        embeddings: float32 (n, c, p).
        names, types, folders: n strings each; types are modalities, folders hold the frames ("" for a video's).
        cfgs, checkpoint: files of the network that made them.
        overrides: changes to its configuration, as `KEY=VALUE`.
        checkpoint_sha256: of that checkpoint; descriptors of different networks do not compare.
        frames: how many frames of each tracklet were used.
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
    """Descriptors, float32 (n, c, p), of `frames` evenly spread frames of each clip; a shorter clip repeats some.

    Args:
        network: in evaluation mode, on its device.
        clips: what to describe.
        frames: of each clip.
        batch: clips at a time.
    """
    device = next(network.parameters()).device
    normalise = Normalise()
    found = []
    with tqdm(total=len(clips), desc="Describing", unit=" tracklets", disable=not sys.stderr.isatty()) as bar:
        decoded = pictures_of(clips, frames)
        for start in range(0, len(clips), batch):
            part = clips[start : start + batch]
            pictures = np.stack([next(decoded) for _ in part])
            modality = torch.tensor([clip.modality.number for clip in part], device=device)
            inputs = normalise(torch.from_numpy(pictures).to(device).flatten(0, 1)).unflatten(0, (len(part), frames))
            found.append(network(inputs, modality).descriptor.float().cpu().numpy())
            bar.update(len(part))
    return np.concatenate(found)


def pictures_of(clips: Sequence[Clip], frames: int) -> Iterator[np.ndarray]:
    """`frames` evenly spread frames of each clip, uint8 (frames, 3, h, w); tracks of one video are read in one pass."""
    for video, group in groupby(clips, key=lambda clip: getattr(clip.source, "video", None)):
        if video is None:
            yield from (clip.source[uniform(len(clip.source), frames)] for clip in group)
        else:
            tracks = [[clip.source.boxes[place] for place in uniform(len(clip.source), frames)] for clip in group]
            yield from video.cut([box for track in tracks for box in track]).reshape(
                len(tracks), frames, 3, *video.size
            )


def save_descriptors(path: str | Path, descriptors: Descriptors) -> Path:
    """Write an .npz file without pickled objects, whole or not at all."""
    path = Path(path).with_suffix(".npz")
    arrays = {name: np.asarray(getattr(descriptors, name)) for name in Descriptors.__dataclass_fields__}
    arrays["overrides"] = np.asarray(descriptors.overrides, dtype=np.str_)
    write_whole(path, lambda partial: np.savez(partial, **arrays))
    return path


def load_descriptors(path: str | Path) -> Descriptors:
    """Read such a file.

    Raises:
        DataError: it is missing or something else.
    """
    path = Path(path)
    arrays = read_arrays(path, Descriptors.__dataclass_fields__, "scripts/embed.py")
    if arrays["embeddings"].ndim != 3 or not len(arrays["embeddings"]) == len(arrays["names"]) == len(arrays["types"]):
        raise DataError(f"The descriptors in {path} do not fit their names; write the file again.")
    unknown = sorted(set(arrays["types"].tolist()) - set(Modality))
    if unknown:
        raise DataError(f"{path} holds a tracklet of the modality {unknown[0]!r}; wanted is {' or '.join(Modality)}.")
    texts = ("cfgs", "checkpoint", "checkpoint_sha256")
    return Descriptors(
        **{name: arrays[name] for name in ("embeddings", "names", "types", "folders")},
        **{name: str(arrays[name]) for name in texts},
        frames=int(arrays["frames"]),
        overrides=tuple(arrays["overrides"].tolist()),
    )
