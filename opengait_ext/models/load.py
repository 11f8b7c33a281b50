"""`load_network`, which loads a trained network of any method."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from opengait import distributed, registry
from opengait.config import load_config
from opengait.engine.checkpoint import load_checkpoint
from opengait.errors import CheckpointError, ConfigError
from opengait.extensions import load_extensions
from opengait.utils.text import first_line
from opengait_ext.models.shared.plain_network import PlainNetwork, network_entries
from opengait_ext.weights.find import WITHOUT_WEIGHTS, configuration_at, find_trained
from opengait_ext.weights.hub import check_options
from opengait_ext.weights.read import load_exactly

log = logging.getLogger("opengait")

Network = TypeVar("Network", bound=PlainNetwork)


def load_network(
    cfgs: str | Path | Mapping[str, Any],
    checkpoint: str | Path | Mapping[str, Any] | None = None,
    device: torch.device | str | None = None,
    overrides: Sequence[str] = (),
    **hub: Any,
) -> PlainNetwork:
    """Return a trained network in evaluation mode.

    Pretrained weight files that the configuration names may be missing if the checkpoint has their values. Classifiers
    that do not fit the configuration are ignored with a warning, since descriptors do not need them.

    Args:
        cfgs: a name such as dinogrl-hitsz, the folder of a run or of `Describer.save_pretrained`, a checkpoint in a run
            folder, OWNER/NAME on a hub, or for a checkpoint elsewhere a configuration file or a loaded configuration.
        checkpoint: an engine checkpoint, as a path or its content; the last one of the run folder by default.
        device: the GPU by default if there is one, otherwise the CPU.
        overrides: changes to a configuration file, as `KEY=VALUE`.
        hub: options for a network on a hub (`opengait_ext.weights.hub.from_hub`).

    Raises:
        ConfigError: the configuration cannot be used, its method has no plain network, or the device does not exist.
        CheckpointError: the checkpoint or a weight file is missing, or belongs to another network.
        TypeError: an option is unknown.
    """
    check_options(hub)
    if isinstance(cfgs, Mapping):
        config = cfgs
    elif isinstance(checkpoint, Mapping):
        config = load_config(configuration_at(cfgs), overrides)
    else:
        trained = find_trained(cfgs, checkpoint, **hub)
        config, checkpoint = load_config(trained.cfgs, overrides), trained.checkpoint
    if checkpoint is None:
        raise CheckpointError(WITHOUT_WEIGHTS)
    network_class, prefix = network_class_of(config["model_cfg"].get("model"))
    content = checkpoint if isinstance(checkpoint, Mapping) else load_checkpoint(checkpoint)
    source = "The checkpoint" if isinstance(checkpoint, Mapping) else str(checkpoint)
    # A vision model without a weight file has random weights, which the seed of the training run reproduces.
    with distributed.isolated_random((config.get("trainer_cfg") or {}).get("seed", 0)):
        network = build_trained(network_class, config["model_cfg"], content, prefix, source)
    return network.to(usable_device(device)).eval()


def build_trained(
    network_class: type[Network],
    model_cfg: Mapping[str, Any],
    checkpoint: Mapping[str, Any],
    prefix: str,
    source: str = "The checkpoint",
) -> Network:
    """Build a network with the weights of a checkpoint, on the CPU and in training mode.

    Args:
        network_class: the class to build.
        model_cfg: that section of a configuration.
        checkpoint: an engine checkpoint, from `opengait.engine.checkpoint.load_checkpoint` or `convert_official`.
        prefix: prefix of the network's entries in the checkpoint.
        source: name of the checkpoint in messages.

    Raises:
        ConfigError: `model_cfg` does not describe such a network.
        CheckpointError: a weight file is missing, or the checkpoint belongs to another network.
    """
    entries = dict(network_class.renamed(network_entries(checkpoint, prefix)))
    if not entries:
        raise CheckpointError(
            f"{source} is a checkpoint of another model: its `model` has no entries {prefix}*; name one of "
            f"{network_class.__name__}."
        )
    network = network_class.from_config(network_class.without_replaced_weights(model_cfg, lambda: entries))
    load_exactly(network, fitting_entries(network, entries), source, "the network of this configuration")
    return network


def fitting_entries(network: PlainNetwork, entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint's entries, completed by those of the network for frozen parts and classifiers.

    A checkpoint may lack both. Classifiers that do not fit are replaced by the network's, with a warning in the log.
    """
    state = network.state_dict()
    classifiers = network.classifiers
    fitting = {name: value for name, value in entries.items() if name in state or not name.startswith(classifiers)}
    misfits = [n for n, value in fitting.items() if n.startswith(classifiers) and value.shape != state[n].shape]
    if misfits:
        log.warning("The checkpoint's classifiers are for other identities (%s); they are ignored.", misfits[0])
    optional = {name: value for name, value in state.items() if name.startswith((*network.frozen, *classifiers))}
    return optional | fitting | {name: state[name] for name in misfits}


def network_class_of(model: str | None) -> tuple[type[PlainNetwork], str]:
    """Return the network class of an engine model and the prefix of its entries in the model's checkpoints.

    Raises:
        ConfigError: the model does not exist, or it has no plain network.
    """
    if str(model) not in registry.models:
        load_extensions(["opengait_ext"])
    engine_model = registry.models.get(str(model))
    network_class = getattr(engine_model, "network_class", None)
    if network_class is None:
        raise ConfigError(f"The model {model} has no plain network, so it cannot be loaded without the engine.")
    return network_class, getattr(engine_model, "network_prefix", "")


def usable_device(device: torch.device | str | None) -> torch.device:
    """Return the device of that name, or the engine's default for None.

    Raises:
        ConfigError: this machine has no such device.
    """
    if device is None:
        return distributed.device()
    try:
        torch.empty(0, device=device)
    # torch raises the first for an unknown name and the second for an absent device.
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"The device {device} cannot be used here ({first_line(error)}); try cpu.") from error
    return torch.device(device)
