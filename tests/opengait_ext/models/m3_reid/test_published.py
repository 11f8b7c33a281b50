"""A seeded checkpoint with the names of the authors' code, against a forward pass that is written with them."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor

from opengait.config import load_config
from opengait.errors import CheckpointError
from opengait_ext.commands import main
from opengait_ext.models import load_network
from opengait_ext.models.m3_reid.published import LAYOUT
from opengait_ext.models.shared.published import convert_published
from tests.opengait_ext.models.published import PublishedState
from tests.paths import ROOT

PLACES = {(2, 2): "NL_2.0", (2, 3): "NL_2.1", (3, 3): "NL_3.0", (3, 4): "NL_3.1", (3, 5): "NL_3.2"}


class Published(PublishedState):
    """torchvision's ResNet-50 without its classifier, and the other parts under their published names, seeded."""

    def __init__(self, classes: int = 500) -> None:
        super().__init__()
        self.net = torchvision.models.resnet50().eval()
        self.state = {f"backbone.{k}": v for k, v in self.net.state_dict().items() if not k.startswith("fc.")}
        for (stage, _), block in PLACES.items():
            channels, inner = 256 * 2 ** (stage - 1), 64 * 2 ** (stage - 1)
            for layer in ("theta", "phi", "g"):
                self.add_layer(f"{block}.{layer}", inner, channels, 1, 1, 1)
            self.add_layer(f"{block}.W.0", channels, inner, 1, 1, 1)
            self.add_norm(f"{block}.W.1", channels)
        for view in ("hw", "tw", "th"):
            self.add_layer(f"mvl_attention.view_attention_{view}", 2, 2048, 1, 1)
        self.add_norm("bn_neck", 12_288)
        for name in ("classifier_frame", "classifier"):
            self.state[f"{name}.weight"] = torch.randn(classes, 12_288)

    def add_layer(self, name: str, rows: int, *columns: int) -> None:
        self.state[f"{name}.weight"] = torch.randn(rows, *columns) / columns[0] ** 0.5
        self.state[f"{name}.bias"] = torch.randn(rows)

    def layer(self, x: Tensor, name: str) -> Tensor:
        """Apply a 1x1 convolution to (..., c, positions)."""
        return self.state[f"{name}.weight"].flatten(1) @ x + self.state[f"{name}.bias"][:, None]

    def non_local(self, maps: Tensor, block: str) -> Tensor:
        """Return the maps (s, c, h, w) of a tracklet after a block over all of its positions."""
        x = maps.transpose(0, 1).flatten(1)
        theta, phi, g = (self.layer(x, f"{block}.{name}") for name in ("theta", "phi", "g"))
        y = g @ (theta.T @ phi).softmax(dim=1).T
        z = self.norm(self.layer(y, f"{block}.W.0")[None], f"{block}.W.1")[0]
        return maps + z.unflatten(1, (len(maps), *maps.shape[2:])).transpose(0, 1)

    def describe(self, frames: Tensor) -> Tensor:
        net = self.net
        x = net.maxpool(net.relu(net.bn1(net.conv1(frames))))
        for stage in range(1, 5):
            for number, block in enumerate(getattr(net, f"layer{stage}")):
                x = block(x)
                if (stage, number) in PLACES:
                    x = self.non_local(x, PLACES[stage, number])
        x = x.flatten(2)
        parts = []
        for view in ("hw", "tw", "th"):
            masks = self.layer(x, f"mvl_attention.view_attention_{view}").sigmoid()
            parts += [((x * masks[:, head : head + 1]) ** 3).mean(2).add(1e-12) ** (1 / 3) for head in (0, 1)]
        return F.normalize(self.norm(torch.cat(parts, dim=1), "bn_neck").mean(0), dim=0)


@pytest.fixture(scope="module")
def published() -> Published:
    return Published()


@torch.no_grad()
def test_a_converted_checkpoint_describes_as_published(published):
    checkpoint, left_out = convert_published(published.state, LAYOUT)
    network = load_network(load_config(ROOT / "configs/m3_reid/hitsz.yaml"), checkpoint, "cpu")
    frames = torch.randn(1, 2, 3, 96, 48)
    torch.testing.assert_close(network(frames).descriptor[0, :, 0], published.describe(frames[0]), rtol=1e-3, atol=1e-5)
    assert not left_out
    for theirs, ours in (("classifier_frame", "frame_classifier"), ("classifier", "classifier")):
        assert torch.equal(checkpoint["model"][f"network.{ours}.weight"], published.state[f"{theirs}.weight"])


def test_what_does_not_fit_is_named(published):
    without = {name: value for name, value in published.state.items() if name != "NL_3.1.phi.weight"}
    with pytest.raises(CheckpointError, match=r"M3-ReID: .*layer3_4\.key\.weight is missing"):
        convert_published(without, LAYOUT)
    with pytest.raises(CheckpointError, match=r"entry backbone\.fc\.weight is unknown"):
        convert_published(published.state | {"backbone.fc.weight": torch.zeros(1)}, LAYOUT)
    with pytest.raises(CheckpointError, match=r"neck\.weight has shape \(3,\)"):
        convert_published(published.state | {"bn_neck.weight": torch.zeros(3)}, LAYOUT)


def test_the_command(published, tmp_path):
    small = {name: torch.zeros(()).expand(value.shape) for name, value in published.state.items()}
    torch.save(small, tmp_path / "model_epoch-200.pth")
    files = ["--file", str(tmp_path / "model_epoch-200.pth"), "--out", str(tmp_path / "out.pt")]
    assert main(["convert", "m3_reid", *files]) == 0
    assert "network.attention.tw.bias" in torch.load(tmp_path / "out.pt", weights_only=True)["model"]
