"""The network that describes tracklets, and its descriptors of clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opengait.config import load_config
from opengait.data.frame_picker import FramePicker
from opengait.errors import ConfigError
from opengait.shipped import shipped
from opengait.utils.files import sha256_of
from opengait_ext.data.readers import frame_size_of
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.load import load_network
from opengait_ext.search.descriptors import Descriptors, embed
from opengait_ext.search.inputs import Clip


@dataclass(frozen=True)
class Describer:
    """A trained network with its configuration's settings for tracklets.

    Attributes:
        size: (height, width) of its frames.
        frames: frames per tracklet in its test.
        metric: metric that compares its descriptors.
        overrides: changes to the configuration file, as `KEY=VALUE`.
    """

    network: DinoGRLNet
    cfgs: Path
    checkpoint: Path
    size: tuple[int, int]
    frames: int
    metric: str
    overrides: tuple[str, ...] = ()

    def describe(self, clips: Sequence[Clip], frames: int | None = None, batch: int = 8) -> Descriptors:
        """Return the descriptors of clips from `frames` frames of each, by default as many as in the network's test."""
        frames = frames or self.frames
        return Descriptors(
            embeddings=embed(self.network, clips, frames, batch),
            names=np.array([clip.name for clip in clips]),
            types=np.array([str(clip.modality) for clip in clips]),
            folders=np.array(["" if clip.folder is None else str(clip.folder) for clip in clips]),
            cfgs=str(self.cfgs),
            checkpoint=str(self.checkpoint),
            checkpoint_sha256=sha256_of(self.checkpoint),
            frames=frames,
            overrides=self.overrides,
        )


def load_describer(
    cfgs: str | Path, checkpoint: str | Path, overrides: Sequence[str] = (), device: str | None = None
) -> Describer:
    """Load the network of a configuration and a checkpoint.

    Raises:
        ConfigError: the configuration cannot be used.
        CheckpointError: the checkpoint is missing or belongs to another network.
    """
    content: Mapping[str, Any] = load_config(cfgs, overrides)
    network = load_network(content, checkpoint, device)
    if not isinstance(network, DinoGRLNet):
        raise ConfigError(f"{cfgs} is a configuration of {type(network).__name__}; a search needs one of DinoGRL.")
    evaluator_cfg = content["evaluator_cfg"]
    picker = FramePicker.from_config(evaluator_cfg["sampler"])
    return Describer(
        network=network,
        cfgs=shipped(cfgs).absolute(),
        checkpoint=Path(checkpoint).absolute(),
        size=frame_size_of(content["data_cfg"]),
        frames=picker.fixed or 6,
        metric=evaluator_cfg.get("metric", "euc"),
        overrides=tuple(overrides),
    )
