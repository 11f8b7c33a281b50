"""Every shipped configuration parses, and its model builds with weights in the real formats."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from opengait import registry
from opengait.config import load_config
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.engine.run_state import RunState
from opengait.errors import CheckpointError, DataError
from opengait.extensions import load_extensions
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models import DinoGRLNet
from tests.golden import seeded
from tests.paths import ROOT

CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if path.name != "common.yaml")  # a base alone


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> dict[str, str]:
    """Seeded weights with the names and formats of the files to download."""
    folder = tmp_path_factory.mktemp("pretrained")
    shapes = json.loads((ROOT / "tests/golden/opengait/dinov2_vits14.json").read_text())["state"]
    values = {name: seeded.state_value(name, tuple(shape)).astype(np.float32) for name, shape in shapes.items()}
    dino, resnet = folder / "dinov2_vits14_pretrain.pth", folder / "resnet50-0676ba61.pth"
    mask = folder / "MaskBranch_vits14.pt"
    big = json.loads((ROOT / "tests/golden/opengait/biggait.json").read_text())["state"]
    names = [name for name in big if name.startswith("Mask_Branch.")]
    branch = {name.removeprefix("Mask_Branch."): torch.ones(big[name]) for name in names}
    torch.save({"model": branch}, mask)
    torch.save({name: torch.from_numpy(value) for name, value in values.items()}, dino)
    torch.save(torchvision.models.resnet50().state_dict(), resnet)
    return {file.name: str(file) for file in (dino, resnet, mask)}


def with_weights(section: dict, weights: dict[str, str]) -> dict:
    """Return the section with every file to download replaced by the seeded one."""
    replaced = {}
    for key, value in section.items():
        if isinstance(value, dict):
            replaced[key] = with_weights(value, weights)
        elif isinstance(value, str) and Path(value).name in weights:
            replaced[key] = weights[Path(value).name]
        else:
            replaced[key] = value
    return replaced


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_configuration_names_parts_that_exist(path):
    cfgs = load_config(path)
    LossAggregator(cfgs["loss_cfg"], RunState())
    registry.models.get(cfgs["model_cfg"]["model"])
    registry.evaluators.get(cfgs["evaluator_cfg"]["eval_func"])
    registry.datasets.get(cfgs["data_cfg"].get("reader", "DataSet"))
    registry.samplers.get(cfgs["trainer_cfg"]["sampler"]["type"])
    optimiser = build_optimizer(
        [("weight", torch.nn.Parameter(torch.zeros(1)))], cfgs["optimizer_cfg"] | {"groups": []}
    )
    build_scheduler(optimiser, cfgs["scheduler_cfg"])


# The tests of the other models build theirs, with small parts.
NETWORKS = sorted((ROOT / "configs/dinogrl").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.name)
def test_the_network_builds(path, weights):
    cfgs = load_config(path)
    network = DinoGRLNet.from_config(with_weights(cfgs["model_cfg"], weights)).eval()
    height, width = cfgs["data_cfg"]["frame_size"]
    frames = torch.randn(2, 1, 3, height, width)
    masks = (torch.rand(2, 1, 1, height, width),) if cfgs["data_cfg"].get("mask_root") else ()
    with torch.no_grad():
        out = network(frames, torch.tensor([0, 1]), *masks)
    model_cfg = cfgs["model_cfg"]
    granularities = model_cfg["granularities"]
    features = 1 + (len(granularities) if network.enhancement is not None else 0)
    features += sum(granularities) if model_cfg["descriptor"] == "parts" else 0
    streams = 1 if network.gait is None else 2
    assert out.descriptor.shape == (2, model_cfg["dimension"], streams * features)
    build_optimizer(network.named_parameters(), cfgs["optimizer_cfg"])


def test_the_papers_schedule():
    """0.1 after warm-up, 0.01 from epoch 35, 0.001 from epoch 80, of 152 iterations each; a tenth for the backbones."""
    cfgs = load_config(ROOT / "configs/dinogrl/hitsz.yaml")
    names = ("appearance_heads.fc_bin", "appearance.stages.conv1", "gait_heads.bn1d.weight", "gait_parts.FCs.fc_bin")
    parameters = {name: torch.nn.Parameter(torch.zeros(1)) for name in names}
    optimiser = build_optimizer(parameters.items(), cfgs["optimizer_cfg"])
    heads, others = ({id(parameter) for parameter in group["params"]} for group in optimiser.param_groups)
    assert heads == {id(parameters[name]) for name in names if "_heads" in name} and len(others) == 2
    scheduler = build_scheduler(optimiser, cfgs["scheduler_cfg"])
    rates = []
    for _ in range(81 * 152):
        rates.append(optimiser.param_groups[0]["lr"])
        assert optimiser.param_groups[1]["lr"] == pytest.approx(rates[-1] / 10)
        optimiser.step()
        scheduler.step()
    at = {epoch: rates[epoch * 152] for epoch in (0, 5, 10, 34, 35, 79, 80)}
    assert at == pytest.approx({0: 0.001, 5: 0.0505, 10: 0.1, 34: 0.1, 35: 0.01, 79: 0.01, 80: 0.001})
    assert cfgs["trainer_cfg"]["total_iter"] == 200 * 152
    assert cfgs["trainer_cfg"]["sampler"]["batch_size"] == [8, 4]


def test_errors_of_missing_data_and_missing_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfgs = load_config(ROOT / "configs/dinogrl/hitsz.yaml")
    load_extensions(cfgs["extensions"], ROOT)
    with pytest.raises(CheckpointError, match=r"resnet50-0676ba61\.pth; .*download resnet50"):
        DinoGRLNet.from_config(cfgs["model_cfg"])
    with pytest.raises(DataError, match=r"HITSZ-VCM .*data_cfg\.dataset_root"):
        registry.datasets.get(cfgs["data_cfg"]["reader"])(cfgs["data_cfg"], True)
