"""Silhouettes of many tracklets as files: a folder a tracklet, written whole, skipped when it is there."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from opengait.errors import DataError
from opengait.utils.files import write_json
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.models import DinoGRLNet
from opengait_ext.runs.silhouettes.network import Maps, silhouettes_of
from opengait_ext.runs.silhouettes.pictures import panels, write_gif, write_png
from opengait_ext.runs.silhouettes.projection import Projection
from opengait_ext.runs.silhouettes.threads import in_threads

MASKS, ENRICHED, ANIMATION = "mask", "enriched", "walk.gif"
PROJECTION, RECORD = "projection.npz", "export.json"
SAMPLE_FRAMES = 64

Place = tuple[int, int]  # tracklet, and frame among its chosen ones


@dataclass(frozen=True)
class ExportSummary:
    """How many tracklets and frames were written, and how many tracklets were there before."""

    written: int
    kept: int
    frames: int


@dataclass(frozen=True)
class TrackletPictures:
    """A tracklet's pictures, uint8: frames and enriched (k, h, w, 3), masks (k, h, w)."""

    tracklet: ChosenTracklet
    frames: np.ndarray
    masks: np.ndarray
    enriched: np.ndarray


def export_silhouettes(
    network: DinoGRLNet,
    tracklets: Sequence[ChosenTracklet],
    out: str | Path,
    gif: bool = True,
    batch: int = 64,
    progress: bool = True,
) -> ExportSummary:
    """Write `<id>/<type>/<view>/{mask,enriched}/<frame>.png` and `walk.gif` for every tracklet.

    Pictures have the size that the data set's reader gives frames (`data_cfg.frame_size`). The colours of `enriched`
    come from `projection.npz` in `out`, which is fitted on `SAMPLE_FRAMES` frames of these tracklets unless it is
    there. A folder that holds just the files of this call is kept as it is, so a stopped export goes on where it was.

    Args:
        network: in evaluation mode.
        tracklets: what to export.
        out: the folder.
        gif: whether to write the animations.
        batch: frames that go through the network at once, of several tracklets.
        progress: show a bar with the time left.

    Raises:
        DataError: a frame cannot be read, or `out` holds the export of another network.
    """
    out = Path(out)
    claim(out, network, tracklets[0].source[[0]].shape[-2:])
    left = [tracklet for tracklet in tracklets if not is_complete(out, tracklet, gif)]
    projection = shared_projection(network, tracklets, out, batch)
    total = sum(len(tracklet.indices) for tracklet in left)
    with tqdm(total=total, desc="Silhouettes", unit="frame", disable=not progress) as bar:
        pictures = draw(network, left, projection, batch)
        for count in in_threads(lambda finished: write_tracklet(out, finished, gif), pictures):
            bar.update(count)
    return ExportSummary(len(left), len(tracklets) - len(left), total)


def is_complete(out: Path, tracklet: ChosenTracklet, gif: bool = False) -> bool:
    """Whether the tracklet's folder holds a picture of just the chosen frames, and the animation if it is wanted."""
    folder = out / tracklet.folder
    names = {f"{name}.png" for name in tracklet.names}
    pictures = all(
        (folder / kind).is_dir() and {file.name for file in (folder / kind).iterdir()} == names
        for kind in (MASKS, ENRICHED)
    )
    return pictures and (not gif or (folder / ANIMATION).is_file())


def claim(out: Path, network: DinoGRLNet, size: Sequence[int]) -> None:
    """Mark `out` as belonging to this network and frame size, so that no two get mixed.

    Raises:
        DataError: it belongs to another.
    """
    digest = hashlib.sha256()
    for part in (network.vision_model, network.silhouette_generator):
        for name, value in part.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    mine = {"network": digest.hexdigest(), "frame_size": [int(side) for side in size]}
    record = out / RECORD
    if not record.is_file():
        write_json(record, mine)
        return
    try:
        theirs = json.loads(record.read_text())
    except ValueError as error:
        raise DataError(f"{record} is damaged ({error}); remove the folder {out} and export again.") from error
    if theirs != mine:
        raise DataError(
            f"{out} holds silhouettes of another checkpoint or frame size; choose another folder, or remove this one."
        )


def shared_projection(
    network: DinoGRLNet, tracklets: Sequence[ChosenTracklet], out: Path, batch: int = 64
) -> Projection:
    """The projection in `out`; if there is none, one fitted on frames spread evenly over the tracklets, and saved.

    Raises:
        DataError: the file there cannot be used, or a frame cannot be read.
    """
    path = out / PROJECTION
    if path.exists():
        return Projection.load(path, network.silhouette_generator.channels)
    places = all_places(tracklets)
    count = min(SAMPLE_FRAMES, len(places))
    sample = [places[number * len(places) // count] for number in range(count)]
    maps = [maps for _, _, maps in run(network, tracklets, sample, batch)]
    projection = Projection.fit(torch.cat([m.enriched for m in maps]), torch.cat([m.mask for m in maps]))
    projection.save(path)
    return projection


def all_places(tracklets: Sequence[ChosenTracklet]) -> list[Place]:
    """Every chosen frame of every tracklet, in order."""
    return [(number, frame) for number, tracklet in enumerate(tracklets) for frame in range(len(tracklet.indices))]


def run(
    network: DinoGRLNet, tracklets: Sequence[ChosenTracklet], places: Sequence[Place], batch: int
) -> Iterator[tuple[list[Place], np.ndarray, Maps]]:
    """The network on these frames, `batch` at a time: their places, frames uint8 (k, 3, h, w) and maps."""

    def decode(part: list[Place]) -> tuple[list[Place], np.ndarray]:
        chosen: dict[int, list[int]] = {}
        for number, frame in part:
            chosen.setdefault(number, []).append(tracklets[number].indices[frame])
        return part, np.concatenate([tracklets[number].source[frames] for number, frames in chosen.items()])

    parts = [list(places[start : start + batch]) for start in range(0, len(places), batch)]
    for part, frames in in_threads(decode, parts):
        yield part, frames, silhouettes_of(network, frames)


def draw(
    network: DinoGRLNet, tracklets: Sequence[ChosenTracklet], projection: Projection, batch: int
) -> Iterator[TrackletPictures]:
    """The pictures of every tracklet, in order, each as soon as its last frame has gone through the network."""
    waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for part, frames, maps in run(network, tracklets, all_places(tracklets), batch):
        masks, enriched = to_pictures(maps, projection, frames.shape[-2:])
        frames = frames.transpose(0, 2, 3, 1)
        for row, (number, frame) in enumerate(part):
            waiting.append((frames[row], masks[row], enriched[row]))
            if frame + 1 == len(tracklets[number].indices):
                yield TrackletPictures(tracklets[number], *(np.stack(kind) for kind in zip(*waiting, strict=True)))
                waiting = []


@torch.inference_mode()
def to_pictures(maps: Maps, projection: Projection, size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Masks uint8 (k, h, w) and enriched silhouettes in colour uint8 (k, h, w, 3), resized bilinearly to `size`."""
    colours = projection.colours(maps.enriched, maps.mask)
    masks, colours = (to_bytes(resize(picture, size)) for picture in (maps.mask, colours))
    return masks[:, 0], colours.transpose(0, 2, 3, 1)


def resize(picture: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of (k, c, h, w)."""
    return F.interpolate(picture, size=tuple(size), mode="bilinear", align_corners=False)


def to_bytes(picture: Tensor) -> np.ndarray:
    """0 to 1 as uint8 0 to 255."""
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def write_tracklet(out: Path, pictures: TrackletPictures, gif: bool) -> int:
    """Write a tracklet's folder under a temporary name and rename it; returns the number of frames."""
    folder = out / pictures.tracklet.folder
    partial = folder.with_name(f".{folder.name}.part")
    # What a stopped run left, and what was exported with other frames, is not worth keeping.
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
