"""The network that a run tested, and the tracklets of its people that are shown to it."""

from pathlib import Path

import numpy as np
import torch

from opengait_ext.data import Modality
from opengait_ext.data.augment import Normalise
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.given_masks import silhouette_source
from opengait_ext.runs import silhouettes as inspection
from opengait_ext.runs.figures.inside import Inside, look_inside
from opengait_ext.runs.figures.people import Seen, Shown
from opengait_ext.runs.run_frames import RunFrames
from opengait_ext.runs.silhouettes.export import to_pictures
from opengait_ext.runs.silhouettes.network import silhouettes_of
from opengait_ext.runs.silhouettes.projection import Projection
from opengait_ext.runs.tested_run import TestedRun


def network_of(run: TestedRun, frames: RunFrames, device: str | None = None) -> DinoGRLNet | None:
    """The network that was tested; None if it finds no silhouettes itself or its checkpoint is gone.

    Raises:
        CheckpointError: the checkpoint is damaged, or a file of pretrained weights that it needs is missing.
    """
    told, model_cfg = run.content.get("checkpoint"), frames.cfgs["model_cfg"]
    if told is None or model_cfg.get("gait") is None or silhouette_source(model_cfg)[0] == "masks":
        return None
    places = [Path(told), run.folder / "checkpoints" / Path(told).name]
    found = next((place for place in places if place.is_file()), None)
    return None if found is None else inspection.load_silhouette_network(frames.cfgs, found, device)


def see(network: DinoGRLNet, frames: RunFrames, chosen: list[Shown], count: int) -> list[Seen]:
    """`count` frames of each tracklet with their silhouettes, whose colours come from one projection for all."""
    pictures = [frames(shown.place, count) for shown in chosen]
    maps = [silhouettes_of(network, np.ascontiguousarray(part.transpose(0, 3, 1, 2))) for part in pictures]
    projection = Projection.fit(torch.cat([m.enriched for m in maps]), torch.cat([m.mask for m in maps]))
    seen = []
    for shown, part, found in zip(chosen, pictures, maps, strict=True):
        masks, enriched = to_pictures(found, projection, part.shape[1:3])
        seen.append(Seen(shown, part, masks, enriched))
    return seen


def look_at(network: DinoGRLNet, seen: list[Seen]) -> Inside:
    """`look_inside` for these tracklets, by as many frames of each as the shortest has."""
    count = min(len(one.frames) for one in seen)
    stacked = np.stack([one.frames[:count] for one in seen])
    device = next(network.silhouette_generator.parameters()).device
    pictures = torch.from_numpy(stacked).flatten(0, 1).permute(0, 3, 1, 2).contiguous().to(device)
    modality = torch.tensor([Modality(one.shown.type).number for one in seen], device=device)
    return look_inside(network, Normalise()(pictures).unflatten(0, (len(seen), count)), modality)
