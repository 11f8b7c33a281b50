"""The release's network with the golden weights, and one forward pass of it for all tests."""

from types import SimpleNamespace

import pytest
import torch

from opengait.config import load_config
from opengait_ext.checkpoints import build_network, convert_official
from opengait_ext.models import DinoGRLNet
from tests.golden.dinogrl_official import recipe

CONFIG = recipe.FOLDER.parents[2] / "configs/dinogrl/hitsz_official.yaml"


@pytest.fixture(scope="session")
def cfgs() -> dict:
    """Load hitsz_official.yaml without the weight files that a checkpoint replaces."""
    config = load_config(CONFIG)
    for section in ("appearance", "vision_model", "gait"):
        del config["model_cfg"][section]["weights"]
    del config["model_cfg"]["silhouette"]["mask_weights"]
    return config


@pytest.fixture(scope="session")
def released() -> dict[str, dict[str, torch.Tensor]]:
    """Return the three state dicts by their file names."""
    return {file: recipe.weights(file) for file in recipe.FILES}


@pytest.fixture(scope="session")
def checkpoint(released) -> dict:
    return convert_official(*(released[file] for file in recipe.FILES))


@pytest.fixture(scope="session")
def network(cfgs, checkpoint) -> DinoGRLNet:
    return build_network(cfgs["model_cfg"], checkpoint).eval()


@pytest.fixture(scope="session")
def visible(network) -> SimpleNamespace:
    """Run the golden visible input through the network, and return `output` and intermediate results."""
    intermediates = {}
    parts = {
        "features": network.vision_model,
        "appearance_map": network.appearance,
        "gait_map": network.gait,
        "appearance_layer3": network.appearance.stages.layer3[-1],
        "gait_layer3": network.gait.stages.layer3[-1],
    }
    hooks = [
        part.register_forward_hook(lambda _, __, result, name=name: intermediates.__setitem__(name, result))
        for name, part in parts.items()
    ]
    with torch.no_grad():
        output = network(recipe.frames(20267), torch.zeros(2, dtype=torch.long))
    for hook in hooks:
        hook.remove()
    return SimpleNamespace(output=output, **intermediates)
