"""Loading a trained network for its silhouettes, and computing them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from opengait.config import load_config
from opengait.errors import ConfigError
from opengait_ext.data.augment import Normalise
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.given_masks import silhouette_source
from opengait_ext.models.load import load_network


class Maps(NamedTuple):
    """SASG's maps of k frames, float32, on SASG's own grid of h x w.

    Attributes:
        mask: S of Eq. 4, (k, 1, h, w), 0 to 1.
        enriched: M of Eq. 6, (k, channels, h, w).
    """

    mask: Tensor
    enriched: Tensor


def load_silhouette_network(
    cfgs: str | Path | Mapping[str, Any],
    checkpoint: str | Path | Mapping[str, Any],
    device: torch.device | str | None = None,
) -> DinoGRLNet:
    """Return a trained network that generates silhouettes; see `opengait_ext.models.load.load_network`.

    Raises:
        ConfigError: the configuration cannot be used, or its network generates no silhouettes.
        CheckpointError: the checkpoint or a weight file is missing, or belongs to another network.
    """
    config = cfgs if isinstance(cfgs, Mapping) else load_config(cfgs)
    model_cfg = config["model_cfg"]
    if model_cfg.get("gait") is None:
        raise ConfigError(
            f"The model {model_cfg.get('model')} of this configuration has no gait stream (model_cfg.gait), so it "
            f"makes no silhouettes; choose a configuration with one."
        )
    if silhouette_source(model_cfg)[0] == "masks":
        raise ConfigError(
            "The network of this configuration reads given masks and generates none of its own; "
            "vvi given-silhouettes writes given masks as OpenGait folders."
        )
    network = load_network(config, checkpoint, device)
    if not isinstance(network, DinoGRLNet):
        raise ConfigError(f"Silhouettes can be shown for DinoGRL only, not for {type(network).__name__}.")
    return network


@torch.inference_mode()
def silhouettes_of(network: DinoGRLNet, frames: np.ndarray | Tensor) -> Maps:
    """Return the mask and the enriched silhouette of every frame; frames do not influence each other.

    Args:
        network: in evaluation mode.
        frames: RGB, uint8 (k, 3, h, w), of any size.

    Returns:
        The maps, on the network's device.

    Raises:
        ConfigError: the network has no gait stream.
    """
    if network.gait is None:
        raise ConfigError("This network has no gait stream, so it makes no silhouettes.")
    device = next(network.silhouette_generator.parameters()).device
    normalised = Normalise()(torch.as_tensor(frames).to(device))
    maps = network.silhouettes(normalised.unsqueeze(0))
    return Maps(mask=maps.mask.float(), enriched=maps.enriched.float())
