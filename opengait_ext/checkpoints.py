"""Conversion of published checkpoints to the engine's format and back, and networks built from checkpoints."""

from collections.abc import Mapping
from typing import Any

from opengait_ext.models.dinogrl.checkpoints.files import (
    from_official_files,
    to_official_files,
    write_official_network,
)
from opengait_ext.models.dinogrl.checkpoints.release import convert_official, convert_to_official
from opengait_ext.models.dinogrl.network import PREFIX, DinoGRLNet
from opengait_ext.models.load import build_trained

__all__ = [
    "build_network",
    "convert_official",
    "convert_to_official",
    "from_official_files",
    "to_official_files",
    "write_official_network",
]


def build_network(model_cfg: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> DinoGRLNet:
    """Return DinoGRL's network with the weights of a checkpoint, on the CPU and in training mode.

    Args:
        model_cfg: that section of a configuration, as read by `opengait.config.load_config`.
        checkpoint: an engine checkpoint, from `opengait.engine.checkpoint.load_checkpoint` or `convert_official`.

    Raises:
        ConfigError: `model_cfg` does not describe such a network.
        CheckpointError: a weight file is missing, or the checkpoint belongs to another network.
    """
    return build_trained(DinoGRLNet, model_cfg, checkpoint, PREFIX)
