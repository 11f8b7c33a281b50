"""A seeded checkpoint in MITML's published layout."""

import torch
import torchvision

from opengait_ext import checkpoints
from opengait_ext.models import load_network
from tests.paths import ROOT


def published() -> dict[str, torch.Tensor]:
    """Return random entries under the published names, of the smallest variety that has every one."""
    torch.manual_seed(0)
    net = torchvision.models.resnet50().state_dict()
    state = {}
    for name in ("visible_module.visible", "thermal_module.thermal", "base_resnet.base"):
        state |= {f"{name}.{key}": value for key, value in net.items() if not key.startswith("fc.")}
    state |= {f"base_resnet.{key}": value + 1 for key, value in net.items() if key.startswith("layer4.")}
    state |= {f"lstm.{key}": value for key, value in torch.nn.LSTM(2048, 2048, 2).state_dict().items()}
    for number, letter in enumerate("abcdef"):
        place = "temporal_feat_learning"
        state[f"{place}.{letter}.weight"] = torch.full((1, 1), float(number)).expand(2048, 2048)
        state[f"{place}.{letter}.bias"] = torch.full((2048,), float(number))
        state[f"{place}.se_{number + 1}.fc.0.weight"] = torch.full((1, 1), number + 0.5).expand(128, 2048)
        state[f"{place}.se_{number + 1}.fc.2.weight"] = torch.full((1, 1), number + 0.25).expand(2048, 128)
        state[f"{place}.se_{number + 1}.l.weight"] = torch.zeros(1)
    for norm in ("bottleneck", "bottleneck1"):
        for key in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{key}"] = torch.rand(2048)
    for classifier in ("classifier", "classifier1", "classifier2"):
        state[f"{classifier}.weight"] = torch.rand(7, 2048)
    return state


def test_every_entry_of_the_forward_pass_arrives_and_the_rest_is_reported(tmp_path):
    theirs = published()
    critic = {"conv.weight": torch.zeros(1)}
    torch.save({"net": theirs, "net_modal_classifier": critic, "mAP": 0.4, "epoch": 90}, tmp_path / "mitml.t")
    left_out = checkpoints.from_published_file("mitml", tmp_path / "mitml.t", tmp_path / "ours.pt")
    assert {name.split(".")[0] for name in left_out} >= {"bottleneck1", "classifier1", "classifier2"}
    net = load_network(ROOT / "configs/mitml/hitsz.yaml", tmp_path / "ours.pt", "cpu", ["model_cfg.num_classes=7"])
    assert torch.equal(net.temporal_stage[0].conv1.weight, theirs["base_resnet.layer4.0.conv1.weight"])
    assert torch.equal(net.backbone.stages.layer4[0].conv1.weight, theirs["base_resnet.base.layer4.0.conv1.weight"])
    for number, part in enumerate(net.refinements):
        assert part.transform.weight[0, 0].item() == number
        assert part.gate[0].weight[0, 0].item() == number + 0.5 and part.gate[2].weight[0, 0].item() == number + 0.25
    assert torch.equal(net.lstm.weight_hh_l1, theirs["lstm.weight_hh_l1"])
    assert torch.equal(net.neck.norm.weight, theirs["bottleneck.weight"])
    assert torch.equal(net.neck.classifier.weight, theirs["classifier.weight"])
