"""Parts of a model that compute their activations again: the numbers of a plain step, from fewer kept tensors."""

import copy

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from opengait import distributed, registry
from opengait.config import load_config
from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.train import run_train
from opengait.errors import ConfigError
from opengait.utils.recompute import recompute_parts
from opengait.utils.tensors import get_ddp_module
from tests.campaigns.kills import same
from tests.opengait import tiny
from tests.opengait.ranks import on_ranks


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.bn = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.3)

    def forward(self, maps, *, scale=1.0):
        return maps + scale * self.drop(torch.relu(self.bn(self.conv(maps))))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.stages = nn.Sequential(Block(8), Block(8), nn.Sequential(Block(8), Block(8)))
        self.last = Block(8)

    def forward(self, images):
        return self.last(self.stages(self.stem(images)), scale=0.5).mean((2, 3))


def step(network, images):
    """Return outputs, gradients and buffers of two steps with the same random draws, and the bytes kept."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(3)
    for _ in range(2):
        kept.clear()
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            output = network(images)
        size = sum(kept.values())
        output.square().sum().backward()
    numbers = {name: parameter.grad for name, parameter in network.named_parameters()}
    return numbers | dict(network.named_buffers()) | {"output": output, "draw": torch.rand(2)}, size


@pytest.mark.parametrize("names", [["stages", "last"], ["stages.0", "stages.2.1", "last"], ["stages.2"]])
def test_a_step_is_the_same(names):
    torch.manual_seed(0)
    plain, images = Network(), torch.randn(4, 3, 12, 12)
    ours = copy.deepcopy(plain)
    recompute_parts(ours, names)
    assert list(ours.state_dict()) == list(plain.state_dict())
    (expected, everything), (actual, fewer) = step(plain, images), step(ours, images)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name
    assert fewer < everything


def test_all_parts_keep_little():
    torch.manual_seed(0)
    plain, images = Network(), torch.randn(4, 3, 12, 12)
    ours = copy.deepcopy(plain)
    recompute_parts(ours, ["stages", "last"])
    assert step(ours, images)[1] < 0.5 * step(plain, images)[1]


def test_tests_compute_once():
    network, images = Network(), torch.randn(4, 3, 12, 12)
    recompute_parts(network, ["stages", "last"])
    calls = []
    network.last.conv.register_forward_hook(lambda *_: calls.append(1))
    network.eval()(images).sum().backward()
    assert len(calls) == 1
    with torch.no_grad():
        network.train()(images)
    assert len(calls) == 2
    network(images).sum().backward()
    assert len(calls) == 4


@pytest.mark.parametrize("name", ["stage", "", "stages.9"])
def test_an_unknown_part_is_named(name):
    with pytest.raises(ConfigError, match=rf"trainer_cfg\.recompute: Network has no part '{name}'.*stages"):
        recompute_parts(Network(), [name])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny.write_dataset(folder / "data")
    tiny.write_config(folder, model_cfg={"dropout": 0.3}, trainer_cfg={"total_iter": 3})
    return folder


def trained(folder, root, names):
    cfgs = load_config(folder / "tiny.yaml", [f"trainer_cfg.output_root={root}", f"trainer_cfg.recompute={names}"])
    torch.manual_seed(0)
    model = registry.models.get("TinySil")(cfgs, True)
    if distributed.world_size() > 1:
        from opengait.engine.sync_batchnorm import convert_sync_batchnorm

        model = convert_sync_batchnorm(model)
    run_train(get_ddp_module(model, False))


def final(root):
    (file,) = root.rglob("tiny-00003.pt")
    return load_checkpoint(file)


def test_a_training_is_the_same(folder, tmp_path):
    for name, parts in (("plain", "[]"), ("ours", "[conv, bn, drop, fcs, necks]")):
        trained(folder, tmp_path / name, parts)
    assert same(final(tmp_path / "plain"), final(tmp_path / "ours"))
    with pytest.raises(ConfigError, match=r"trainer_cfg\.recompute: TinySil has no part 'convs'.* conv"):
        trained(folder, tmp_path / "wrong", "[convs]")


def train_on_a_rank(folder, root):
    for name, parts in (("plain", "[]"), ("ours", "[bn, drop, necks]")):
        trained(folder, root / name, parts)


@pytest.mark.slow
def test_a_training_on_two_ranks_is_the_same(folder, tmp_path):
    (tmp_path / "ranks").mkdir()
    on_ranks(train_on_a_rank, tmp_path / "ranks", folder, tmp_path)
    assert same(final(tmp_path / "plain"), final(tmp_path / "ours"))
