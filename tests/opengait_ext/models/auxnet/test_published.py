"""A seeded checkpoint in AuxNet's published layout, against a forward pass that is written with its names."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor

from opengait.errors import CheckpointError
from opengait_ext.commands import main
from opengait_ext.models import load_network
from opengait_ext.models.auxnet.published import LAYOUT
from opengait_ext.models.shared.published import convert_published
from tests.opengait_ext.models.published import PublishedState
from tests.paths import ROOT


class Published(PublishedState):
    """torchvision's ResNets under their published names, the last stage with stride 1, and a neck; all seeded."""

    def __init__(self, name: str, classes: int = 7) -> None:
        super().__init__()
        self.net = getattr(torchvision.models, name)().eval()
        block = self.net.layer4[0]
        for part in (block.conv1, block.conv2, block.downsample[0]):
            part.stride = (1, 1)
        self.state = {f"shared_module.backbone.{k}": v for k, v in self.net.state_dict().items() if "fc." not in k}
        self.stems = {}
        for module in ("ir_module", "rgb_module"):
            stem = torch.nn.ModuleDict({"conv1": torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False)})
            stem["bn1"] = torch.nn.BatchNorm2d(64)
            torch.nn.init.uniform_(stem["bn1"].running_mean, -0.5, 0.5)
            self.stems[module] = stem.eval()
            self.state |= {f"{module}.{k}": v for k, v in stem.state_dict().items()}
        channels = self.net.fc.in_features
        self.add_norm("bottleneck.bn", channels)
        self.state["classifier.fc.weight"] = torch.randn(classes, channels)

    def describe(self, frames: Tensor, module: str) -> Tensor:
        stem, net = self.stems[module], self.net
        maps = net.maxpool(stem["bn1"](stem["conv1"](frames)).relu())
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            maps = stage(maps)
        x = maps.mean((2, 3)).mean(0)[None]
        return F.normalize(self.norm(x, "bottleneck.bn"))[0]

    def save(self, path) -> None:
        optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
        state = {f"module.{name}": value for name, value in self.state.items()}
        torch.save({"model": state, "optimizer": optimiser, "epoch": 99}, path)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet34", "resnet18"])
def test_a_converted_checkpoint_describes_as_published(name, tmp_path, capsys):
    published = Published(name)
    published.save(tmp_path / "ckpt_res34_real.pth")
    command = ["convert", "auxnet", "--file", str(tmp_path / "ckpt_res34_real.pth"), "--out", str(tmp_path / "a.pt")]
    assert main(command) == 2
    assert "--trust" in capsys.readouterr().err and not (tmp_path / "a.pt").exists()
    assert main([*command, "--trust"]) == 0
    # The first convolution and norm of the shared ResNet are never read.
    assert "(6 entries left out" in capsys.readouterr().out
    changes = ["model_cfg.num_classes=7", f"model_cfg.backbone.backbone={name}"]
    network = load_network(ROOT / "configs/auxnet/bupt.yaml", tmp_path / "a.pt", "cpu", changes)
    frames = torch.randn(2, 2, 3, 64, 32)
    descriptors = network(frames, torch.tensor([0, 1])).descriptor[..., 0]
    for number, module in enumerate(("rgb_module", "ir_module")):
        torch.testing.assert_close(
            descriptors[number], published.describe(frames[number], module), atol=1e-5, rtol=1e-4
        )
    assert torch.equal(network.neck.classifier.weight, published.state["classifier.fc.weight"])


def test_what_does_not_fit_is_named():
    state = Published("resnet18").state
    with pytest.raises(CheckpointError, match=r"AuxNet: the entry head\.weight is unknown"):
        convert_published(state | {"head.weight": torch.zeros(1)}, LAYOUT)
    with pytest.raises(CheckpointError, match=r"stems\.1\.conv1\.weight is missing"):
        convert_published({name: value for name, value in state.items() if name != "ir_module.conv1.weight"}, LAYOUT)
