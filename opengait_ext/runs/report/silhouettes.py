"""Masks of a run's tracklets: animations of some people, and how much of a frame a person fills."""

import io
from collections.abc import Sequence

import numpy as np

from opengait_ext.models import DinoGRLNet
from opengait_ext.runs.figures.people import Seen
from opengait_ext.runs.run_frames import RunFrames
from opengait_ext.runs.silhouettes.network import silhouettes_of
from opengait_ext.runs.silhouettes.pictures import panels, write_gif

AREA_FRAMES = 2
ANIMATED_FRAMES = 12


def areas_of(network: DinoGRLNet, frames: RunFrames, tracklets: Sequence[int], total: int) -> np.ndarray:
    """Share of the frame that the mask covers, in percent, (total); NaN for tracklets that are not asked for."""
    areas = np.full(total, np.nan)
    for tracklet in tracklets:
        pictures = frames(tracklet, AREA_FRAMES).transpose(0, 3, 1, 2)
        mask = silhouettes_of(network, np.ascontiguousarray(pictures)).mask
        areas[tracklet] = 100 * float((mask > 0.5).float().mean())
    return areas


def animate(seen: Seen) -> bytes:
    """A GIF of a tracklet: frame, mask, the mask laid over the frame, and the enriched silhouette."""
    buffer = io.BytesIO()
    write_gif(buffer, np.concatenate(panels(seen.frames, seen.masks, seen.enriched), axis=2))
    return buffer.getvalue()
