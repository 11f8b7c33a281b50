"""A trained network from its configuration and checkpoint, and its silhouettes."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from opengait import distributed
from opengait.config import load_config
from opengait.engine.checkpoint import load_checkpoint
from opengait.errors import CheckpointError, ConfigError
from opengait_ext.data.augment import Normalise
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.given_masks import silhouette_source
from opengait_ext.models.dinogrl.model import without_starts
from opengait_ext.models.dinogrl.network import PREFIX
from opengait_ext.weights.read import load_exactly


class Maps(NamedTuple):
    """SASG's maps of k frames, float32, on SASG's own grid of h x w.

    Attributes:
        mask: S of Eq. 4, (k, 1, h, w), 0 to 1.
        enriched: M of Eq. 6, (k, channels, h, w).
    """

    mask: Tensor
    enriched: Tensor


def load_network(
    cfgs: str | Path | Mapping[str, Any],
    checkpoint: str | Path,
    device: torch.device | str | None = None,
    overrides: Sequence[str] = (),
    makes_silhouettes: bool = True,
) -> DinoGRLNet:
    """The trained network in evaluation mode.

    Args:
        cfgs: the configuration file it was trained with, or what `opengait.config.load_config` made of it.
        checkpoint: the engine's `.pt` file.
        device: where to put it; by default the GPU if there is one.
        overrides: `KEY=VALUE` texts, when `cfgs` is a file.
        makes_silhouettes: whether a network without gait stream is refused.

    Raises:
        ConfigError: the configuration is of a model without gait stream, or cannot be used.
        CheckpointError: the checkpoint, or the vision model's weights, are missing or belong to another model.
    """
    cfg = cfgs if isinstance(cfgs, Mapping) else load_config(cfgs, overrides)
    model_cfg = copy.deepcopy(dict(cfg.get("model_cfg") or {}))
    if makes_silhouettes and model_cfg.get("gait") is None:
        raise ConfigError(
            f"The model {model_cfg.get('model')} of this configuration has no gait stream (model_cfg.gait), so it "
            f"makes no silhouettes; choose a configuration with one."
        )
    if makes_silhouettes and silhouette_source(model_cfg)[0] == "masks":
        raise ConfigError(
            "The network of this configuration is given the masks of its silhouettes and has none of its own to show; "
            "scripts/given_silhouettes.py writes given masks as OpenGait folders."
        )
    state = network_state(checkpoint)
    # Pretrained weights would only be overwritten, and classifiers are not asked, so neither need be here.
    model_cfg = without_starts(model_cfg, lambda: state) | {"num_classes": None}
    # A vision model without a weight file is random; seeded as the engine seeds, it is the one of the training run.
    with distributed.isolated_random((cfg.get("trainer_cfg") or {}).get("seed", 0)):
        network = DinoGRLNet.from_config(model_cfg)
    load_exactly(network, network.fitting(state), checkpoint, "the network of this configuration")
    return network.to(usable_device(device)).eval()


def network_state(checkpoint: str | Path) -> dict[str, Tensor]:
    """The entries of `DinoGRLNet` in an engine checkpoint; usually without those of the frozen vision model.

    Raises:
        CheckpointError: there is no such file, or it holds another model.
    """
    path = Path(checkpoint)
    if not path.is_file():
        others = sorted(file.name for file in path.parent.glob("*.pt")) if path.parent.is_dir() else []
        hint = f"that folder has {', '.join(others[-3:])}" if others else "train first (--phase train)"
        raise CheckpointError(f"There is no checkpoint {path}; {hint}.")
    entries = load_checkpoint(path).get("model")
    state = {}
    if isinstance(entries, Mapping):
        state = {name.removeprefix(PREFIX): value for name, value in entries.items() if name.startswith(PREFIX)}
    if not state:
        raise CheckpointError(
            f"{path} is a checkpoint of another model: its `model` has no entries {PREFIX}*; name one of DinoGRL."
        )
    return state


def usable_device(device: torch.device | str | None) -> torch.device:
    """The device of that name, or the engine's choice.

    Raises:
        ConfigError: there is no such device here.
    """
    if device is None:
        return distributed.device()
    try:
        torch.empty(0, device=device)
    # torch tells an unknown name and an absent device by these two.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"The device {device} cannot be used here ({reason}); try cpu.") from error
    return torch.device(device)


@torch.inference_mode()
def silhouettes_of(network: DinoGRLNet, frames: np.ndarray | Tensor) -> Maps:
    """Mask and enriched silhouette of every frame; frames do not influence each other.

    Args:
        network: in evaluation mode.
        frames: uint8 (k, 3, h, w), RGB, any size.

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
