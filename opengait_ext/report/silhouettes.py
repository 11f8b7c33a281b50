"""Masks of a run's tracklets: animations of some people, and how much of a frame a person fills."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np

from opengait.data.sampling import uniform
from opengait_ext import inspection
from opengait_ext.figures.frames import RunFrames
from opengait_ext.figures.retrieval import TestedRun
from opengait_ext.inspection.network import silhouettes_of
from opengait_ext.inspection.pictures import GIF_MILLISECONDS, overlay
from opengait_ext.models import DinoGRLNet

AREA_FRAMES = 2
ANIMATED_FRAMES = 12


def network_of(run: TestedRun, frames: RunFrames, device: str | None = None) -> DinoGRLNet | None:
    """The network that was tested; None if it makes no silhouettes or its checkpoint is gone."""
    told = run.content.get("checkpoint")
    if told is None or frames.cfgs["model_cfg"].get("gait") is None:
        return None
    places = [Path(told), run.folder / "checkpoints" / Path(told).name]
    found = next((place for place in places if place.is_file()), None)
    return None if found is None else inspection.load_network(frames.cfgs, found, device)


def masks_of(network: DinoGRLNet, pictures: np.ndarray) -> np.ndarray:
    """S of frames uint8 (k, h, w, 3), enlarged to their size: uint8 (k, h, w), 255 for certain foreground."""
    maps = silhouettes_of(network, np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).mask[:, 0].cpu().numpy()
    size = pictures.shape[2], pictures.shape[1]
    return np.stack([np.rint(255 * cv2.resize(m, size, interpolation=cv2.INTER_LINEAR)).astype(np.uint8) for m in maps])


def areas_of(network: DinoGRLNet, frames: RunFrames, tracklets: Sequence[int], total: int) -> np.ndarray:
    """Share of the frame that the mask covers, in percent, (total); NaN for tracklets that are not asked for."""
    areas = np.full(total, np.nan)
    for tracklet in tracklets:
        masks = masks_of(network, frames(tracklet, AREA_FRAMES))
        areas[tracklet] = 100 * float((masks > 127).mean())
    return areas


def animate(network: DinoGRLNet, frames: RunFrames, tracklet: int) -> bytes:
    """A GIF of a tracklet: frame, mask, and the mask laid over the frame."""
    pictures = frames(tracklet, ANIMATED_FRAMES)
    masks = masks_of(network, pictures)
    grey = np.repeat(masks[..., None], 3, axis=3)
    panels = np.concatenate([pictures, grey, overlay(pictures, masks)], axis=2)
    buffer = io.BytesIO()
    imageio.imwrite(buffer, panels, plugin="pillow", extension=".gif", duration=GIF_MILLISECONDS, loop=0)
    return buffer.getvalue()


def choose_people(run: TestedRun, count: int) -> list[tuple[str, list[int]]]:
    """Evenly spread people with one tracklet of each modality: (label, places)."""
    features = run.features
    people = [label for label in np.unique(features.labels) if len(set(features.types[features.labels == label])) > 1]
    chosen = [people[place] for place in uniform(len(people), min(count, len(people)))]
    found = []
    for label in chosen:
        of = np.flatnonzero(features.labels == label)
        first = {kind: int(place) for place, kind in reversed([(p, features.types[p]) for p in of])}
        found.append((str(label), [first[kind] for kind in sorted(first, reverse=True)]))
    return found
