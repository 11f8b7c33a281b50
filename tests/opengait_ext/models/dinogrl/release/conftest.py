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
    """hitsz_official.yaml without the weight files that a checkpoint replaces."""
    found = load_config(CONFIG)
    for section in ("appearance", "vision_model", "gait"):
        del found["model_cfg"][section]["weights"]
    del found["model_cfg"]["silhouette"]["mask_weights"]
    return found


@pytest.fixture(scope="session")
def released() -> dict[str, dict[str, torch.Tensor]]:
    """The three state dicts, by the names of their files."""
    return {file: recipe.weights(file) for file in recipe.FILES}


@pytest.fixture(scope="session")
def checkpoint(released) -> dict:
    return convert_official(*(released[file] for file in recipe.FILES))


@pytest.fixture(scope="session")
def network(cfgs, checkpoint) -> DinoGRLNet:
    return build_network(cfgs["model_cfg"], checkpoint).eval()


@pytest.fixture(scope="session")
def visible(network) -> SimpleNamespace:
    """The golden visible input's way through the network: `output`, and what some of its parts made on the way."""
    seen = {}
    parts = {
        "features": network.vision_model,
        "appearance_map": network.appearance,
        "gait_map": network.gait,
        "appearance_layer3": network.appearance.stages.layer3[-1],
        "gait_layer3": network.gait.stages.layer3[-1],
    }
    hooks = [
        part.register_forward_hook(lambda _, __, made, name=name: seen.__setitem__(name, made))
        for name, part in parts.items()
    ]
    with torch.no_grad():
        output = network(recipe.frames(20267), torch.zeros(2, dtype=torch.long))
    for hook in hooks:
        hook.remove()
    return SimpleNamespace(output=output, **seen)
