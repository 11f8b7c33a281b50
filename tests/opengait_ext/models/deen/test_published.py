"""A seeded checkpoint in the published layout, against a forward pass that is written with its names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.errors import CheckpointError
from opengait_ext import checkpoints
from opengait_ext.models import load_network
from opengait_ext.models.deen.published import LAYOUT
from opengait_ext.models.shared.published import convert_published
from tests.opengait_ext.models.published import ThreeResNets
from tests.paths import ROOT

WIDTHS = {1: (256, 64), 2: (512, 256), 3: (1024, 512)}


class Published(ThreeResNets):
    """Three whole ResNets as in the published files, with MFA, DEE and a neck, seeded."""

    def __init__(self, classes: int = 395) -> None:
        super().__init__(settled)
        for stage, (high, low) in WIDTHS.items():
            for block, inner in (("CNL", low), ("PNL", low // 2)):
                for layer, channels in (("g", low), ("theta", high), ("phi", low)):
                    self.add_convolution(f"MFA{stage}.{block}.{layer}", inner, channels)
                self.add_convolution(f"MFA{stage}.{block}.W.0", high, inner)
                self.add_norm(f"MFA{stage}.{block}.W.1", high)
        for branch in (1, 2):
            for rate in (1, 2, 3):
                self.state[f"DEE.FC{branch}{rate}.weight"] = torch.randn(256, 1024, 3, 3) / 96
            self.add_convolution(f"DEE.FC{branch}", 1024, 256)
        self.add_norm("bottleneck", 2048)
        self.state["classifier.weight"] = torch.randn(classes, 2048)

    def add_convolution(self, name: str, out: int, channels: int) -> None:
        self.state[f"{name}.weight"] = torch.randn(out, channels, 1, 1) / channels
        self.state[f"{name}.bias"] = torch.randn(out) / 10

    def layer(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        return F.conv2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], stride)

    def aggregate(self, stage: int, high: Tensor, low: Tensor) -> Tensor:
        name, width, stride = f"MFA{stage}.CNL", low.shape[1], 1 if stage == 1 else 2
        theta, phi = self.layer(f"{name}.theta", high).flatten(2), self.layer(f"{name}.phi", low, stride).flatten(2)
        f = theta @ phi.transpose(1, 2) / width
        y = (f @ self.layer(f"{name}.g", low).flatten(2)).view_as(low)
        z = self.norm(self.layer(f"{name}.W.0", y, stride), f"{name}.W.1") + high
        name = f"MFA{stage}.PNL"
        theta = self.layer(f"{name}.theta", z).reshape(len(z), width, -1)
        phi, g = (self.layer(f"{name}.{part}", low).reshape(len(z), width, -1) for part in ("phi", "g"))
        f = theta.transpose(1, 2) @ phi / phi.shape[2]
        y = (f @ g.transpose(1, 2)).transpose(1, 2).reshape(len(z), width // 2, *high.shape[2:])
        return self.norm(self.layer(f"{name}.W.0", y), f"{name}.W.1") + z

    def expand(self, x: Tensor) -> Tensor:
        versions = [x]
        for branch in (1, 2):
            dilated = [
                F.conv2d(x, self.state[f"DEE.FC{branch}{rate}.weight"], padding=rate, dilation=rate)
                for rate in (1, 2, 3)
            ]
            versions.append(self.layer(f"DEE.FC{branch}", (sum(dilated) / 3).relu()))
        return torch.cat(versions)

    def six(self, image: Tensor, modality: int) -> list[Tensor]:
        """Return the unit vectors of the test."""
        shared = self.stages
        x = self.stem(image[None], modality)
        for stage in (1, 2, 3):
            x = self.aggregate(stage, getattr(shared, f"layer{stage}")(x), x)
        pooled = shared.layer4(self.expand(x)).mean((2, 3))
        return [*F.normalize(pooled), *F.normalize(self.norm(pooled, "bottleneck"))]


def settled(net: torch.nn.Module) -> torch.nn.Module:
    """Give a random ResNet the statistics of some images: MFA multiplies three maps, and large ones overflow."""
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.randn(8, 3, 64, 32))
    return net.eval()


@pytest.fixture(scope="module")
def published() -> Published:
    return Published()


@torch.no_grad()
def test_a_converted_checkpoint_compares_as_published(published, tmp_path):
    scores = {"cmc": np.ones(20), "mAP": np.float64(0.5), "mINP": 0.4, "epoch": 60}
    torch.save({"net": published.state, **scores}, tmp_path / "deen.t")
    left_out = checkpoints.from_published_file("deen", tmp_path / "deen.t", tmp_path / "ours.pt")
    settings = ["model_cfg.num_classes=395"]
    network = load_network(ROOT / "configs/deen/hitsz.yaml", tmp_path / "ours.pt", "cpu", settings)
    images, modality = torch.randn(3, 3, 64, 32), torch.tensor([1, 0, 0])
    descriptor = network(images[:, None], modality).descriptor[..., 0]
    vectors = [published.six(image, kind) for image, kind in zip(images, modality.tolist(), strict=True)]
    sums = [[sum(a @ b for a, b in zip(x, y, strict=True)) for y in vectors] for x in vectors]
    torch.testing.assert_close(6 * descriptor @ descriptor.T, torch.tensor(sums), rtol=1e-4, atol=1e-4)
    # The plain position block has the same weights and another meaning.
    network.aggregations[0].position.folded = False
    assert not torch.allclose(network(images[:, None], modality).descriptor[..., 0], descriptor, atol=1e-3)
    assert "visible_module.visible.layer1.0.conv1.weight" in left_out and "base_resnet.base.conv1.weight" in left_out
    assert not any(name.startswith(("MFA", "DEE", "bottleneck", "classifier")) for name in left_out)
    assert torch.equal(network.neck.classifier.weight, published.state["classifier.weight"])


def test_what_does_not_fit_is_named(published):
    without = {name: value for name, value in published.state.items() if name != "DEE.FC23.weight"}
    with pytest.raises(CheckpointError, match=r"DEEN: .*branches\.1\.dilated\.2\.weight is missing"):
        convert_published(without, LAYOUT)
    with pytest.raises(CheckpointError, match=r"entry NL_2\.0\.g\.0\.weight is unknown"):
        convert_published(published.state | {"NL_2.0.g.0.weight": torch.zeros(1)}, LAYOUT)
    with pytest.raises(CheckpointError, match=r"norm\.weight has shape \(3,\)"):
        convert_published(published.state | {"MFA1.PNL.W.1.weight": torch.zeros(3)}, LAYOUT)
