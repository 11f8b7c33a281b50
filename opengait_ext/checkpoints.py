"""Conversion of published checkpoints to the engine's format and back, and networks built from checkpoints."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opengait.engine.checkpoint import save_checkpoint
from opengait_ext.models.dinogrl.checkpoints.files import (
    from_official_files,
    to_official_files,
    write_official_network,
)
from opengait_ext.models.dinogrl.checkpoints.release import convert_official, convert_to_official
from opengait_ext.models.dinogrl.network import DinoGRLNet
from opengait_ext.models.load import build_trained
from opengait_ext.models.shared.plain_network import PREFIX
from opengait_ext.models.shared.published import convert_published, read_published

__all__ = [
    "build_network",
    "convert_official",
    "convert_to_official",
    "from_official_files",
    "to_official_files",
    "write_official_network",
]

# The methods whose published checkpoints are one file each, and the modules that hold their `LAYOUT`.
PUBLISHED = {
    "agw": "opengait_ext.models.agw.published",
    "auxnet": "opengait_ext.models.auxnet.published",
    "caj": "opengait_ext.models.agw.published",
    "deen": "opengait_ext.models.deen.published",
    "m3_reid": "opengait_ext.models.m3_reid.published",
    "mitml": "opengait_ext.models.mitml.published",
    "vld": "opengait_ext.models.vld.published",
}


def from_published_file(method: str, file: Path, out: Path, trust: bool = False) -> list[str]:
    """Write the engine checkpoint of a method's published file; return the names of the entries that were left out.

    Args:
        method: key of `PUBLISHED`.
        file: the published file.
        out: the file to write.
        trust: see `read_published`.

    Raises:
        CheckpointError: the file is missing, unreadable or not of that method.
    """
    layout = importlib.import_module(PUBLISHED[method]).LAYOUT
    checkpoint, left_out = convert_published(read_published(file, trust), layout)
    save_checkpoint(checkpoint, out)
    return left_out


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
