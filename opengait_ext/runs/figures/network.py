"""The network that a run tested, and its silhouettes and inner maps of chosen tracklets."""

from pathlib import Path

import numpy as np
import torch

from opengait.errors import CheckpointError
from opengait_ext.data import Modality
from opengait_ext.data.augment import Normalise
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.runs.figures.inside import Inside, look_inside
from opengait_ext.runs.figures.people import Seen, Shown
from opengait_ext.runs.run_frames import RunFrames
from opengait_ext.runs.silhouettes.export import to_pictures
from opengait_ext.runs.silhouettes.network import load_silhouette_network, silhouettes_of
from opengait_ext.runs.silhouettes.projection import Projection
from opengait_ext.runs.tested_run import TestedRun


def network_of(run: TestedRun, frames: RunFrames, device: str | None = None) -> PlainNetwork:
    """Return the tested network, which makes silhouettes.

    Raises:
        ConfigError: its model makes none.
        CheckpointError: the checkpoint, or a pretrained weight file that it needs, is missing or damaged.
    """
    recorded = run.content.get("checkpoint")
    if recorded is None:
        raise CheckpointError(f"{run.file} names no checkpoint; test one with --phase test.")
    here, moved = Path(recorded), run.folder / "checkpoints" / Path(recorded).name
    return load_silhouette_network(frames.cfgs, moved if not here.is_file() and moved.is_file() else here, device)


def see(network: PlainNetwork | None, frames: RunFrames, chosen: list[Shown], count: int) -> list[Seen]:
    """Return `count` frames of each tracklet with their silhouettes, coloured by one projection for all.

    Without a network, the frames are silhouettes themselves.
    """
    pictures = [frames(shown.place, count) for shown in chosen]
    if network is None:
        return [Seen(shown, part) for shown, part in zip(chosen, pictures, strict=True)]
    maps = [silhouettes_of(network, np.ascontiguousarray(part.transpose(0, 3, 1, 2))) for part in pictures]
    projection = Projection.fit(torch.cat([m.enriched for m in maps]), torch.cat([m.mask for m in maps]))
    seen = []
    for shown, part, silhouettes in zip(chosen, pictures, maps, strict=True):
        masks, enriched = to_pictures(silhouettes, projection, part.shape[1:3])
        seen.append(Seen(shown, part, masks, enriched))
    return seen


def look_at(network: PlainNetwork, seen: list[Seen]) -> Inside:
    """Apply `look_inside` to these tracklets, with as many frames of each as the shortest has."""
    count = min(len(tracklet.frames) for tracklet in seen)
    stacked = np.stack([tracklet.frames[:count] for tracklet in seen])
    device = next(network.parameters()).device
    pictures = torch.from_numpy(stacked).flatten(0, 1).permute(0, 3, 1, 2).contiguous().to(device)
    modality = torch.tensor([Modality(tracklet.shown.type).number for tracklet in seen], device=device)
    return look_inside(network, Normalise()(pictures).unflatten(0, (len(seen), count)), modality)
