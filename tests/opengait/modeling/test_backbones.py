"""Backbones: names, shapes, and values against torchvision and against their layers in sequence."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18

from opengait import registry
from opengait.errors import ConfigError
from opengait.modeling import backbones
from opengait.modeling.modules import Graph

STEM_AND_STAGES = ("conv1.conv.weight", "bn1.weight", "layer1.0.conv1.weight", "layer2.0.downsample.1.weight")


def adjacency(max_hop: int = 3) -> torch.Tensor:
    return torch.tensor(Graph("coco", max_hop=max_hop).A, dtype=torch.float32)


def test_plain_applies_its_layers_in_sequence() -> None:
    network = backbones.Plain(["BC-4", "M", "FC-6-1", "BC-2"], in_channels=3)
    names = ["feature.0.conv.weight", "feature.3.conv.weight", "feature.5.conv.weight"]
    weights = network.state_dict()
    assert list(weights) == names
    assert [tuple(weights[name].shape) for name in names] == [(4, 3, 5, 5), (6, 4, 3, 3), (2, 6, 3, 3)]
    x = torch.randn(2, 3, 8, 6)
    out = F.max_pool2d(F.leaky_relu(F.conv2d(x, weights[names[0]], padding=2), 0.01), 2)
    halves = [F.conv2d(half, weights[names[1]], padding=1) for half in out.chunk(2, dim=2)]
    out = F.leaky_relu(F.conv2d(F.leaky_relu(torch.cat(halves, dim=2), 0.01), weights[names[2]], padding=1), 0.01)
    torch.testing.assert_close(network(x), out)
    assert backbones.Plain(["FC-4-1"]).state_dict()["feature.0.conv.weight"].shape == (4, 1, 5, 5)


@pytest.mark.parametrize("token", ["BC", "BC-x", "FC-8", "MC-8", "M-2"])
def test_plain_rejects_an_unknown_token(token: str) -> None:
    with pytest.raises(ConfigError, match=repr(token)):
        backbones.Plain(["BC-4", token])


def test_resnet9_equals_torchvisions_stages() -> None:
    network = backbones.ResNet9("BasicBlock", [64, 128, 256, 512], 3, [2, 2, 2, 2], [1, 2, 2, 2]).eval()
    assert set(STEM_AND_STAGES) <= set(network.state_dict())
    reference = resnet18().eval()
    shared = {name: value for name, value in network.state_dict().items() if name.startswith(("bn1", "layer"))}
    assert reference.load_state_dict(shared, strict=False).unexpected_keys == []
    reference.conv1 = network.conv1
    x = torch.randn(1, 3, 32, 16)
    expected = reference.maxpool(reference.relu(reference.bn1(reference.conv1(x))))
    for stage in (reference.layer1, reference.layer2, reference.layer3, reference.layer4):
        expected = stage(expected)
    torch.testing.assert_close(network(x), expected)


def test_resnet9_arguments() -> None:
    assert backbones.ResNet9("BasicBlock")(torch.zeros(1, 1, 16, 8)).shape == (1, 256, 2, 1)
    small = backbones.ResNet9("Bottleneck", [8, 16, 32, 64], 2, [1, 0, 1, 0], [1, 2, 2, 1], maxpool=False)
    assert isinstance(small.layer2, nn.Identity) and small.fc is None
    assert small(torch.zeros(1, 2, 16, 8)).shape == (1, 128, 8, 4)
    with pytest.raises(ConfigError, match="BasicBlock, Bottleneck"):
        backbones.ResNet9("Basic")


def test_u_net_trains_its_decoder_only() -> None:
    network = backbones.U_Net(in_channels=3, freeze_half=True)
    x = torch.randn(2, 3, 16, 8, requires_grad=True)
    logits = network(x)
    assert logits.shape == (2, 1, 16, 8)
    logits.sum().backward()
    trained = {name.partition(".")[0] for name, value in network.named_parameters() if value.grad is not None}
    assert trained == {"Up4", "Up3", "Up2", "Up_conv4", "Up_conv3", "Up_conv2", "Conv_1x1"}
    assert x.grad is None
    assert {name.partition(".")[0] for name, value in network.named_parameters() if value.requires_grad} == trained
    assert network.Conv1.conv[1].num_batches_tracked == 1, "the encoder's batch norms keep updating their statistics"
    whole = backbones.U_Net(freeze_half=False)
    whole(torch.randn(2, 3, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in whole.parameters())
    assert {
        "Conv4.conv.3.bias",
        "Up4.up.1.weight",
        "Up4.up.2.weight",
        "Up_conv2.conv.4.weight",
        "Conv_1x1.bias",
    } <= set(whole.state_dict())
    with pytest.raises(ValueError, match="divisible by 8.*12x8"):
        whole(torch.zeros(1, 3, 12, 8))


def test_gcn_equals_its_formula() -> None:
    network = backbones.GCN(adj_size=4, nfeat=3, nhid=5).eval()
    assert {"gc1.weight", "gc1.bias", "gc1.bn.weight", "gc2.weight"} <= set(network.state_dict())
    x, adj = torch.randn(2, 4, 3), torch.rand(2, 4, 4)
    expected = x
    for layer in (network.gc1, network.gc2):
        assert layer.weight.abs().max() <= 5**-0.5
        product = torch.stack([adj[i] @ expected[i] @ layer.weight + layer.bias for i in range(2)])
        expected = (product / (1 + 1e-5) ** 0.5).relu()
    torch.testing.assert_close(network(x, adj), expected)
    assert network.train()(x, adj).shape == (2, 4, 5)


@pytest.mark.parametrize(("block", "frames"), [("Basic", [60, 30]), ("Bottleneck", [30, 15])])
def test_resgcn_halves_the_frames_where_upstream_does(block: str, frames: list[int]) -> None:
    network = backbones.ResGCN(3, [5, 16, 8], [8, 16, 32], 7, 4, block, adjacency())
    seen = []
    for layer in network.backbone:
        layer.register_forward_hook(lambda module, inputs, out: seen.append(out.shape[2]))
    out = network(torch.randn(2, 3, 5, 60, 17))
    assert out.shape == (2, 7) and seen == frames
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    names = set(network.state_dict())
    assert {
        "head.2.A",
        "head.0.bn.weight",
        "head.0.layers.1.edge",
        "backbone.1.scn.conv.gcn.weight",
        "fcn.bias",
    } <= names
    assert ("backbone.0.residual.0.weight" in names) == (block == "Basic")
    assert ("backbone.0.tcn.residual.0.weight" in names) == (block == "Bottleneck")
    assert not any(name.startswith("head.0.layers.0.residual") for name in names)


def test_resgcn_rejects_an_unknown_block() -> None:
    with pytest.raises(ConfigError, match="'Wide'"):
        backbones.ResGCN(1, [3, 4, 8], [8, 16], 2, 4, "Wide", adjacency())


def test_backbones_are_found_by_name() -> None:
    assert {"Plain", "ResNet9", "U_Net", "ResGCN", "GCN"} <= set(registry.backbones.names())
    assert registry.backbones.get("ResNet9") is backbones.ResNet9
    with pytest.raises(AttributeError, match="NoSuchBackbone"):
        _ = backbones.NoSuchBackbone
