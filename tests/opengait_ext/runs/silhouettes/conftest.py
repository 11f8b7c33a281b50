"""One network and one export for all tests of this folder."""

import pytest
import torch

from opengait_ext.models import DinoGRLNet
from opengait_ext.runs.silhouettes import export_silhouettes
from tests.opengait_ext.runs.silhouettes.tiny import MODEL, SEED


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(SEED)
    network = DinoGRLNet.from_config(MODEL)
    # The masks of a random network are near one half; scaled weights make them cover the range from 0 to 1.
    with torch.no_grad():
        network.silhouette_generator.mask_encoder.down_sampling.weight.mul_(8)
    return network.eval()


@pytest.fixture(scope="session")
def checkpoint(network, tmp_path_factory):
    """Save a checkpoint as the engine does, without the frozen vision model."""
    path = tmp_path_factory.mktemp("checkpoints") / "tiny-00010.pt"
    state = {f"network.{key}": value for key, value in network.state_dict().items() if "vision_model." not in key}
    torch.save({"model": state, "iteration": 10}, path)
    return path


@pytest.fixture(scope="session")
def exported(network, tracklets, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "export"
    summary = export_silhouettes(network, tracklets, out, batch=7, progress=False)
    assert (summary.written, summary.kept, summary.frames) == (8, 0, 24)
    return out
