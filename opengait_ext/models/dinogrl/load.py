"""A network from a configuration and a checkpoint, without the weight files that it was started from."""

from collections.abc import Mapping
from typing import Any

from opengait_ext.models.dinogrl.model import without_starts
from opengait_ext.models.dinogrl.network import DinoGRLNet, network_entries


def build_network(model_cfg: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> DinoGRLNet:
    """The network of `model_cfg` with the weights of `checkpoint`, with its classifiers where they fit `num_classes`.

    Files of pretrained weights that the configuration names need not be there, but for the vision model's where the
    checkpoint has none.

    Args:
        model_cfg: that section of a configuration, such as `opengait.config.load_config` reads.
        checkpoint: of the engine, as `opengait.engine.checkpoint.load_checkpoint` reads or `convert_official` makes it.

    Raises:
        ConfigError, CheckpointError: as `DinoGRLNet.from_config` and `DinoGRLNet.load_state_dict`.
    """
    network = DinoGRLNet.from_config(without_starts(model_cfg, lambda: network_entries(checkpoint)))
    network.load_state_dict(checkpoint)
    return network
