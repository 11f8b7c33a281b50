"""A seeded checkpoint in the published layout, against a forward pass that is written with its names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from opengait.config import load_config
from opengait.errors import CheckpointError
from opengait_ext import checkpoints
from opengait_ext.commands import convert, main
from opengait_ext.models import load_network
from opengait_ext.models.agw.published import LAYOUT
from opengait_ext.models.shared.published import convert_published
from tests.opengait_ext.models.published import ThreeResNets
from tests.paths import ROOT

PLACES = {(2, 2): "2.0", (2, 3): "2.1", (3, 3): "3.0", (3, 4): "3.1", (3, 5): "3.2"}


class Published(ThreeResNets):
    """Three whole ResNets as in the published files, non-local blocks of width 1 and a neck, seeded."""

    def __init__(self, classes: int = 395) -> None:
        super().__init__()
        for (stage, _), block in PLACES.items():
            channels = 256 * 2 ** (stage - 1)
            for layer in ("theta", "phi", "g.0"):
                self.state[f"NL_{block}.{layer}.weight"] = torch.randn(1, channels, 1, 1) / channels
                self.state[f"NL_{block}.{layer}.bias"] = torch.randn(1)
            self.state[f"NL_{block}.W.0.weight"] = torch.randn(channels, 1, 1, 1)
            self.state[f"NL_{block}.W.0.bias"] = torch.randn(channels)
            self.add_norm(f"NL_{block}.W.1", channels)
        self.add_norm("bottleneck", 2048)
        self.state["classifier.weight"] = torch.randn(classes, 2048)

    def non_local(self, x: torch.Tensor, block: str) -> torch.Tensor:
        def layer(name: str, x: torch.Tensor) -> torch.Tensor:
            return F.conv2d(x, self.state[f"NL_{block}.{name}.weight"], self.state[f"NL_{block}.{name}.bias"])

        theta, phi, g = (layer(name, x).flatten(2) for name in ("theta", "phi", "g.0"))
        f = theta.transpose(1, 2) @ phi / phi.shape[2]
        y = (f @ g.transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
        return x + self.norm(layer("W.0", y), f"NL_{block}.W.1")

    def describe(self, image: torch.Tensor, modality: int) -> torch.Tensor:
        x = self.stem(image[None], modality)
        for stage in range(1, 5):
            for number, block in enumerate(getattr(self.stages, f"layer{stage}")):
                x = block(x)
                if (stage, number) in PLACES:
                    x = self.non_local(x, PLACES[stage, number])
        pooled = (x.flatten(2).pow(3).mean(2) + 1e-12).pow(1 / 3)
        return F.normalize(self.norm(pooled, "bottleneck"))[0]


@pytest.fixture(scope="module")
def published() -> Published:
    return Published()


@torch.no_grad()
def test_a_converted_checkpoint_describes_as_published(published):
    checkpoint, left_out = convert_published(published.state, LAYOUT)
    cfgs = load_config(ROOT / "configs/agw/hitsz.yaml")
    network = load_network(cfgs, checkpoint, "cpu")
    images, modality = torch.randn(2, 3, 64, 32), torch.tensor([1, 0])
    descriptor = network(images[:, None], modality).descriptor[..., 0]
    expected = [published.describe(image, kind) for image, kind in zip(images, modality.tolist(), strict=True)]
    assert torch.allclose(descriptor, torch.stack(expected), atol=1e-5)
    assert "visible_module.visible.layer1.0.conv1.weight" in left_out and "base_resnet.base.conv1.weight" in left_out
    assert not any(name.startswith(("NL", "bottleneck", "classifier")) for name in left_out)
    # Every value of the converted entries is that of a published one.
    assert torch.equal(checkpoint["model"]["network.neck.classifier.weight"], published.state["classifier.weight"])


def test_what_does_not_fit_is_named(published):
    without = {name: value for name, value in published.state.items() if name != "NL_3.1.phi.weight"}
    with pytest.raises(CheckpointError, match=r"AGW or CAJ: .*layer3_4\.key\.weight is missing"):
        convert_published(without, LAYOUT)
    with pytest.raises(CheckpointError, match=r"entry lstm\.weight is unknown"):
        convert_published(published.state | {"lstm.weight": torch.zeros(1)}, LAYOUT)
    with pytest.raises(CheckpointError, match=r"norm\.weight has shape \(3,\)"):
        convert_published(published.state | {"bottleneck.weight": torch.zeros(3)}, LAYOUT)


class Harmless:
    def __reduce__(self):
        return (str, ("an object",))


def test_the_command(published, tmp_path, capsys):
    small = {name: torch.zeros(()).expand(value.shape) for name, value in published.state.items()}
    scores = {"cmc": np.ones(20), "mAP": np.float64(0.5), "mINP": 0.4, "epoch": 60}
    torch.save({"net": small, **scores}, tmp_path / "sysu.t")
    assert main(["convert", "caj", "--file", str(tmp_path / "sysu.t"), "--out", str(tmp_path / "out.pt")]) == 0
    assert "entries left out" in capsys.readouterr().out
    content = torch.load(tmp_path / "out.pt", weights_only=True)
    assert content["iteration"] == 0 and "network.backbone.stems.1.bn1.weight" in content["model"]
    torch.save({"net": small, "optimizer": Harmless()}, tmp_path / "object.t")
    arguments = ["convert", "agw", "--file", str(tmp_path / "object.t"), "--out", str(tmp_path / "again.pt")]
    assert main(arguments) == 2 and "add --trust" in capsys.readouterr().err
    assert main([*arguments, "--trust"]) == 0
    assert main(["convert", "agw", "--file", str(tmp_path / "absent.t"), "--out", "x.pt"]) == 2
    assert main(["convert", "agw", "--out", "x.pt"]) == 2 and "--file" in capsys.readouterr().err


def test_the_commands_methods_are_those_of_the_table():
    assert tuple(checkpoints.PUBLISHED) == convert.METHODS
