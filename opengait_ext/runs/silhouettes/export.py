"""Export of silhouettes: one folder per tracklet, written atomically and skipped if it is complete."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from opengait.data.text_files import read_json
from opengait.errors import DataError
from opengait.utils.files import write_json
from opengait.utils.threads import in_threads
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.models.shared.plain_network import Maps, PlainNetwork
from opengait_ext.runs.silhouettes.image_files import write_gif, write_png
from opengait_ext.runs.silhouettes.network import silhouettes_of
from opengait_ext.runs.silhouettes.panels import panels
from opengait_ext.runs.silhouettes.projection import Projection

MASKS, ENRICHED, ANIMATION = "mask", "enriched", "walk.gif"
PROJECTION, RECORD = "projection.npz", "export.json"
SAMPLE_FRAMES = 64

FrameIndex = tuple[int, int]  # number of the tracklet, and of the frame among its chosen ones


@dataclass(frozen=True)
class ExportSummary:
    """Numbers of tracklets and frames written, and of tracklets kept from an earlier export."""

    written: int
    kept: int
    frames: int


@dataclass(frozen=True)
class TrackletPictures:
    """Pictures of a tracklet, uint8: frames and enriched (k, h, w, 3), masks (k, h, w)."""

    tracklet: ChosenTracklet
    frames: np.ndarray
    masks: np.ndarray
    enriched: np.ndarray


def export_silhouettes(
    network: PlainNetwork,
    tracklets: Sequence[ChosenTracklet],
    out: str | Path,
    gif: bool = True,
    batch: int = 64,
    progress: bool = True,
) -> ExportSummary:
    """Write `<id>/<type>/<view>/{mask,enriched}/<frame>.png` and `walk.gif` for every tracklet.

    Pictures have the frame size of the dataset (`data_cfg.frame_size`). The colours of `enriched` come from
    `projection.npz` in `out`, which is fitted on `SAMPLE_FRAMES` frames of these tracklets if it does not exist. A
    folder that holds exactly the files of this call is kept, so an interrupted export resumes where it stopped.

    Args:
        network: the network, in evaluation mode.
        tracklets: the tracklets to export.
        out: the output folder.
        gif: write the animations.
        batch: frames per forward pass, possibly of several tracklets.
        progress: show a progress bar.

    Raises:
        DataError: a frame cannot be read, or `out` holds the export of another network.
    """
    out = Path(out)
    claim(out, network, tracklets[0].source[[0]].shape[-2:])
    missing = [tracklet for tracklet in tracklets if not is_complete(out, tracklet, gif)]
    projection = shared_projection(network, tracklets, out, batch)
    total = sum(len(tracklet.indices) for tracklet in missing)
    with tqdm(total=total, desc="Silhouettes", unit="frame", disable=None if progress else True) as bar:
        pictures = draw(network, missing, projection, batch)
        for count in in_threads(lambda finished: write_tracklet(out, finished, gif), pictures):
            bar.update(count)
    return ExportSummary(len(missing), len(tracklets) - len(missing), total)


def is_complete(out: Path, tracklet: ChosenTracklet, gif: bool = False) -> bool:
    """Return whether a tracklet's folder holds pictures of exactly the chosen frames and, with `gif`, the animation."""
    folder = out / tracklet.folder
    names = {f"{name}.png" for name in tracklet.names}
    pictures = all(
        (folder / kind).is_dir() and {file.name for file in (folder / kind).iterdir()} == names
        for kind in (MASKS, ENRICHED)
    )
    return pictures and (not gif or (folder / ANIMATION).is_file())


def claim(out: Path, network: PlainNetwork, size: Sequence[int]) -> None:
    """Record the network and frame size in `out`, or check them against the record.

    Raises:
        DataError: `out` holds the export of another network or frame size.
    """
    digest = hashlib.sha256()
    for part in network.silhouette_parts:
        for name, value in getattr(network, part).state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    current = {"network": digest.hexdigest(), "frame_size": [int(side) for side in size]}
    record = out / RECORD
    if not record.is_file():
        write_json(record, current)
        return
    if read_json(record, f"remove the folder {out} and export again") != current:
        raise DataError(
            f"{out} holds silhouettes of another checkpoint or frame size; choose another folder or remove this one."
        )


def shared_projection(
    network: PlainNetwork, tracklets: Sequence[ChosenTracklet], out: Path, batch: int = 64
) -> Projection:
    """Load the projection in `out`, or fit one on frames spread evenly over the tracklets and save it.

    Raises:
        DataError: the existing file cannot be used, or a frame cannot be read.
    """
    path = out / PROJECTION
    indices = all_frames(tracklets)
    if path.exists():
        ((_, _, first),) = run(network, tracklets, indices[:1], 1)
        return Projection.load(path, first.enriched.shape[1])
    count = min(SAMPLE_FRAMES, len(indices))
    sample = [indices[number * len(indices) // count] for number in range(count)]
    maps = [maps for _, _, maps in run(network, tracklets, sample, batch)]
    projection = Projection.fit(torch.cat([m.enriched for m in maps]), torch.cat([m.mask for m in maps]))
    projection.save(path)
    return projection


def all_frames(tracklets: Sequence[ChosenTracklet]) -> list[FrameIndex]:
    """Return every chosen frame of every tracklet, in order."""
    return [(number, frame) for number, tracklet in enumerate(tracklets) for frame in range(len(tracklet.indices))]


def run(
    network: PlainNetwork, tracklets: Sequence[ChosenTracklet], indices: Sequence[FrameIndex], batch: int
) -> Iterator[tuple[list[FrameIndex], np.ndarray, Maps]]:
    """Yield indices, frames uint8 (k, 3, h, w) and maps of the frames, `batch` at a time."""

    def decode(part: list[FrameIndex]) -> tuple[list[FrameIndex], np.ndarray]:
        chosen: dict[int, list[int]] = {}
        for number, frame in part:
            chosen.setdefault(number, []).append(tracklets[number].indices[frame])
        return part, np.concatenate([tracklets[number].source[frames] for number, frames in chosen.items()])

    parts = [list(indices[start : start + batch]) for start in range(0, len(indices), batch)]
    for part, frames in in_threads(decode, parts):
        yield part, frames, silhouettes_of(network, frames)


def draw(
    network: PlainNetwork, tracklets: Sequence[ChosenTracklet], projection: Projection, batch: int
) -> Iterator[TrackletPictures]:
    """Yield the pictures of each tracklet, in order, as soon as its last frame has gone through the network."""
    waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for part, frames, maps in run(network, tracklets, all_frames(tracklets), batch):
        masks, enriched = to_pictures(maps, projection, frames.shape[-2:])
        frames = frames.transpose(0, 2, 3, 1)
        for row, (number, frame) in enumerate(part):
            waiting.append((frames[row], masks[row], enriched[row]))
            if frame + 1 == len(tracklets[number].indices):
                yield TrackletPictures(tracklets[number], *(np.stack(kind) for kind in zip(*waiting, strict=True)))
                waiting = []


@torch.inference_mode()
def to_pictures(maps: Maps, projection: Projection, size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return masks uint8 (k, h, w) and coloured enriched silhouettes uint8 (k, h, w, 3), resized to `size`."""
    coloured = projection.colours(maps.enriched, maps.mask)
    masks, colours = (to_bytes(resize(picture, size)) for picture in (maps.mask, coloured))
    return masks[:, 0], colours.transpose(0, 2, 3, 1)


def resize(picture: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (k, c, h, w) bilinearly."""
    return F.interpolate(picture, size=tuple(size), mode="bilinear", align_corners=False)


def to_bytes(picture: Tensor) -> np.ndarray:
    """Convert values from 0 to 1 to uint8 from 0 to 255."""
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def write_tracklet(out: Path, pictures: TrackletPictures, gif: bool) -> int:
    """Write a tracklet's folder under a temporary name, rename it, and return the number of frames."""
    folder = out / pictures.tracklet.folder
    partial = folder.with_name(f".{folder.name}.part")
    # Remove the remains of an interrupted export and an export of other frames.
    for former in (partial, folder):
        if former.exists():
            shutil.rmtree(former)
    for kind, stack in ((MASKS, pictures.masks), (ENRICHED, pictures.enriched)):
        (partial / kind).mkdir(parents=True)
        for name, picture in zip(pictures.tracklet.names, stack, strict=True):
            write_png(partial / kind / f"{name}.png", picture)
    if gif:
        side_by_side = np.concatenate(panels(pictures.frames, pictures.masks, pictures.enriched), axis=2)
        write_gif(partial / ANIMATION, side_by_side)
    partial.replace(folder)
    return len(pictures.masks)
