"""Loading a trained network for its silhouettes, and computing them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opengait import registry
from opengait.config import load_config
from opengait.errors import ConfigError
from opengait_ext.data.augment import Normalise
from opengait_ext.models.load import load_network, network_class_of
from opengait_ext.models.shared.plain_network import Maps, PlainNetwork


def load_silhouette_network(
    cfgs: str | Path | Mapping[str, Any],
    checkpoint: str | Path | Mapping[str, Any],
    device: torch.device | str | None = None,
) -> PlainNetwork:
    """Return a trained network that makes silhouettes of frames; see `opengait_ext.models.load.load_network`.

    Raises:
        ConfigError: the configuration cannot be used, or its model makes no silhouettes.
        CheckpointError: the checkpoint or a weight file is missing, or belongs to another network.
    """
    config = cfgs if isinstance(cfgs, Mapping) else load_config(cfgs)
    model = config["model_cfg"].get("model")
    if model in registry.models and not hasattr(registry.models.get(model), "network_class"):
        raise ConfigError(f"The model {model} makes no silhouettes of its own; vvi report shows those that it takes.")
    network_class_of(model)[0].check_silhouettes(config["model_cfg"])
    return load_network(config, checkpoint, device)


@torch.inference_mode()
def silhouettes_of(network: PlainNetwork, frames: np.ndarray | Tensor) -> Maps:
    """Return the mask and the enriched silhouette of every frame, float32; frames do not influence each other.

    Args:
        network: in evaluation mode.
        frames: RGB, uint8 (k, 3, h, w), of any size.

    Returns:
        The maps, on the network's device.

    Raises:
        ConfigError: the network makes no silhouettes.
    """
    device = next(network.parameters()).device
    maps = network.frame_silhouettes(Normalise()(torch.as_tensor(frames).to(device)))
    return Maps(*(values.float() for values in maps))
