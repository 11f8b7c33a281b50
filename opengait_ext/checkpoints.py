"""Checkpoints published by others: converted to the engine's and back, and built into networks."""

from collections.abc import Mapping
from typing import Any

from opengait_ext.models.dinogrl.checkpoints.files import from_official_files, to_official_files
from opengait_ext.models.dinogrl.checkpoints.release import convert_official, convert_to_official
from opengait_ext.models.dinogrl.network import PREFIX, DinoGRLNet
from opengait_ext.models.load import build_trained

__all__ = ["build_network", "convert_official", "convert_to_official", "from_official_files", "to_official_files"]


def build_network(model_cfg: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> DinoGRLNet:
    """Return DinoGRL's network with the values of a checkpoint, on the CPU and in training mode.

    Args:
        model_cfg: that section of a configuration, as `opengait.config.load_config` reads it.
        checkpoint: of the engine, as `opengait.engine.checkpoint.load_checkpoint` reads or `convert_official` makes it.

    Raises:
        ConfigError: `model_cfg` does not describe such a network.
        CheckpointError: a weight file is missing, or the checkpoint belongs to another network.
    """
    return build_trained(DinoGRLNet, model_cfg, checkpoint, PREFIX)
