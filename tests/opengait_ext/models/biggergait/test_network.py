"""BiggerGait: published names and shapes, descriptors against the steps written out, and trained parts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from opengait import distributed, registry
from opengait.config import load_config
from opengait.engine.sync_batchnorm import convert_sync_batchnorm
from opengait.errors import CheckpointError, ConfigError
from opengait.extensions import load_extensions
from opengait_ext.models.biggergait import network as biggergait
from opengait_ext.models.biggergait.network import BiggerGaitNet, mask_branch
from tests.golden import seeded
from tests.golden.compare import assert_golden, normals
from tests.opengait_ext.models.biggergait.hugging_face import TINY, reference, weights
from tests.opengait_ext.models.biggergait.tiny import (
    GROUPS,
    PARTS,
    frames_of,
    model_cfg,
    network,
    published_names,
    write_weights,
)
from tests.paths import ROOT


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    return write_weights(tmp_path_factory.mktemp("pretrained"))


@pytest.fixture
def model(files) -> BiggerGaitNet:
    """Build a network with golden numbers in the trained parts, so that every norm and weight matters."""
    built = network(model_cfg(**files))
    seeded.fill_state(built.Gait_Net)
    seeded.fill_state(built.HumanSpace_Conv)
    return built.eval()


def embed(model: nn.Module, frames: torch.Tensor, lengths: list[int] | None = None) -> torch.Tensor:
    with torch.no_grad():
        return model(frames, lengths and torch.tensor([lengths])).embeddings


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory) -> dict[str, str]:
    """Write ViT-S/14 and its mask branch with the file names of the configurations."""
    folder = tmp_path_factory.mktemp("vits14")
    shapes = json.loads((ROOT / "tests/golden/opengait/dinov2_vits14.json").read_text())["state"]
    values = {name: seeded.state_value(name, shape).astype(np.float32) for name, shape in shapes.items()}
    torch.save({name: torch.from_numpy(value) for name, value in values.items()}, folder / "dinov2_vits14_pretrain.pth")
    torch.save({"model": mask_branch({}, 384).state_dict()}, folder / "MaskBranch_vits14.pt")
    lvm, mask = folder / "dinov2_vits14_pretrain.pth", folder / "MaskBranch_vits14.pt"
    return {"pretrained_lvm": str(lvm), "pretrained_mask_branch": str(mask)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hitsz", "ccpg"])
def test_shipped_configurations_have_the_published_names_and_shapes(name, pretrained):
    path = ROOT / f"configs/biggergait/{name}.yaml"
    cfgs = load_config(path)
    load_extensions(cfgs["extensions"], path.parent)
    for section in ("trainer_cfg", "evaluator_cfg"):
        registry.transforms.get(cfgs[section]["transform"][0]["type"])
    registry.evaluators.get(cfgs["evaluator_cfg"]["eval_func"])
    settings = cfgs["model_cfg"]
    for key, file in pretrained.items():
        assert Path(settings[key]).name == Path(file).name
    model = network(settings | pretrained).eval()
    state = model.state_dict()
    assert state.keys() == published_names(groups=6, heads=2, depth=12)
    assert tuple(state["HumanSpace_Conv.5.1.weight"].shape) == (192, 768, 1, 1)
    assert tuple(state["HumanSpace_Conv.5.4.weight"].shape) == (16, 192, 1, 1)
    assert tuple(state["Gait_Net.real_gait.1.pre_rgb.forward_block.conv1.conv.weight"].shape) == (64, 16, 3, 3)
    assert tuple(state["Backbone.embeddings.position_embeddings"].shape) == (1, 1370, 384)
    assert tuple(state["Mask_Branch.up_sampling.weight"].shape) == (384, 2)
    assert "Backbone.blocks.0.norm1.weight" not in state
    if name == "hitsz":
        output = model(normals("bigger:hitsz", 2, 1, 3, 256, 128))
        assert output.embeddings.shape == (2, 256, 192)
        assert output.logits.shape == (2, 500, 192)
        assert output.mask.shape == (2, 1, 64, 32)


def test_twelve_heads_of_single_layers(pretrained):
    settings = load_config(ROOT / "configs/biggergait/ccpg.yaml")["model_cfg"]
    state = network(settings | pretrained | {"group_layer_num": 1, "head_num": 12}).state_dict()
    assert state.keys() == published_names(groups=12, heads=12, depth=12)
    assert tuple(state["HumanSpace_Conv.11.1.weight"].shape) == (192, 384, 1, 1)


def test_neighbouring_groups_share_a_network(pretrained):
    settings = load_config(ROOT / "configs/biggergait/ccpg.yaml")["model_cfg"]
    net = network(settings | pretrained).Gait_Net
    assert [list(net.real_gait).index(entry) for entry in net.Gait_List] == [0, 0, 0, 1, 1, 1]
    # Filled in the order of the state, each network has the values of its last name.
    seeded.fill_state(net)
    for head, last in ((0, 2), (1, 5)):
        kept = net.real_gait[head].FCs.fc_bin
        assert_golden(kept, seeded.state_value(f"Gait_List.{last}.FCs.fc_bin", kept.shape), 1e-6)


def batch_norm(x: torch.Tensor, state: dict, name: str) -> torch.Tensor:
    """Apply evaluation-mode batch norm over axis 1."""
    shape = [1, -1] + [1] * (x.dim() - 2)
    mean, var = state[f"{name}.running_mean"].view(shape), state[f"{name}.running_var"].view(shape)
    x = (x - mean) / (var + 1e-5).sqrt()
    if f"{name}.weight" in state:
        x = x * state[f"{name}.weight"].view(shape) + state[f"{name}.bias"].view(shape)
    return x


def standardised(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-6).sqrt()


def gait_network(x: torch.Tensor, state: dict, net: str, lengths: list[int]) -> torch.Tensor:
    """Compute the embeddings (n, channels, parts) of a gait network on (S, 16, h, w)."""

    def conv(x: torch.Tensor, name: str, **options) -> torch.Tensor:
        return F.conv2d(x, state[f"{net}.{name}.weight"], **options)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return batch_norm(x, state, f"{net}.{name}")

    x = norm(conv(x, "pre_rgb.forward_block.conv1.conv", padding=1), "pre_rgb.forward_block.bn1").relu()
    for stage, stride in (("pre_rgb.forward_block.layer1", 1), *zip(STAGES, (2, 1, 1), strict=True)):
        y = norm(conv(x, f"{stage}.0.conv1", stride=stride, padding=1), f"{stage}.0.bn1").relu()
        y = norm(conv(y, f"{stage}.0.conv2", padding=1), f"{stage}.0.bn2")
        if f"{net}.{stage}.0.downsample.0.weight" in state:
            x = norm(conv(x, f"{stage}.0.downsample.0", stride=stride), f"{stage}.0.downsample.1")
        x = (x + y).relu()
    pooled = torch.stack([part.amax(0) for part in x.split(lengths)])
    stripes = pooled.mean(-1) + pooled.amax(-1)  # one row per stripe
    return torch.einsum("ncp,pcd->ndp", stripes, state[f"{net}.FCs.fc_bin"])


STAGES = [f"post_backbone.forward_block.layer{number}" for number in (2, 3, 4)]


@pytest.mark.parametrize("tokens", ["own_norm", "joint_norm", "final_norm"])
def test_descriptors_follow_the_published_steps(model, tokens):
    model.mask_tokens = tokens
    state = model.state_dict()
    frames, lengths = frames_of(1, 5), [2, 3]
    blocks = [tokens[:, 1:] for tokens in reference(weights(), frames[0], TINY)]
    joint = standardised(torch.cat(blocks, dim=-1))

    last = {"own_norm": standardised(blocks[-1]), "joint_norm": joint[..., -12:]}
    last["final_norm"] = standardised(blocks[-1]) * weights()["layernorm.weight"] + weights()["layernorm.bias"]
    # A mask that is neither empty nor full for any choice of tokens.
    model.Mask_Branch.bn_s.running_mean.copy_(last[tokens].mean((0, 1)))
    codes = batch_norm(last[tokens].flatten(0, 1), state, "Mask_Branch.bn_s")
    codes = codes @ state["Mask_Branch.down_sampling.weight"].T + state["Mask_Branch.down_sampling.bias"]
    person = codes.softmax(-1)[:, 1].view(5, 1, 4, 2)
    # Thresholded before and after resizing, which differs from resizing the probability.
    mask = (F.interpolate((person > 0.5).float(), size=(16, 8), mode="bilinear") > 0.5).float()
    assert 0.05 < mask.mean() < 0.95
    assert not torch.equal(mask, (F.interpolate(person, size=(16, 8), mode="bilinear") > 0.5).float())

    expected = []
    for group, layer in enumerate(joint.split(12, dim=-1)):
        maps = batch_norm(layer.transpose(1, 2).reshape(5, 12, 4, 2), state, f"HumanSpace_Conv.{group}.0")
        for index in (1, 4):
            name = f"HumanSpace_Conv.{group}.{index}"
            maps = F.conv2d(maps, state[f"{name}.weight"], state[f"{name}.bias"])
            if index == 1:
                maps = F.gelu(batch_norm(maps, state, f"HumanSpace_Conv.{group}.2"))
        maps = F.interpolate(maps, size=(16, 8), mode="bilinear")
        maps = batch_norm(maps, state, f"HumanSpace_Conv.{group}.6").sigmoid() * mask
        expected.append(gait_network(maps, state, f"Gait_Net.Gait_List.{group}", lengths))
    output = model(frames, torch.tensor([lengths]))
    assert_golden(output.embeddings, torch.cat(expected, dim=-1), 1e-4)
    assert torch.equal(output.mask, mask)


def test_packed_single_and_batched_tracklets_agree(model):
    frames = frames_of(3, 4)
    together = embed(model, frames)
    assert together.shape == (3, 5, GROUPS * PARTS)
    assert_golden(embed(model, frames.flatten(0, 1)[None], [4, 4, 4]), together, 1e-5)
    for number in range(3):
        assert_golden(embed(model, frames[number : number + 1])[0], together[number], 1e-5)
    # Frames form a set, so their order does not matter.
    assert_golden(embed(model, frames.flip(1)), together, 1e-5)


def test_chunks_do_not_change_the_descriptors(model, monkeypatch):
    lengths_seen = []
    original = BiggerGaitNet.frame_maps
    monkeypatch.setattr(
        BiggerGaitNet, "frame_maps", lambda self, part: lengths_seen.append(part.shape[1]) or original(self, part)
    )
    for count, chunks in ((95, [95]), (96, [48, 48]), (200, [67, 67, 66])):
        lengths_seen.clear()
        embed(model, torch.zeros(1, count, 3, 16, 8))
        assert lengths_seen == chunks
    whole = embed(model, frames_of(1, 7), [3, 4])
    monkeypatch.setattr(biggergait, "CHUNK", 2)
    lengths_seen.clear()
    assert_golden(embed(model, frames_of(1, 7), [3, 4]), whole, 1e-5)
    assert lengths_seen == [2, 2, 2, 1]


@pytest.mark.parametrize("longest", [1, 4])
def test_a_rank_with_fewer_packed_frames_runs_the_norms_as_often(model, monkeypatch, longest):
    monkeypatch.setattr(distributed, "minimum", lambda value: min(value, -longest))
    calls: list[int] = []
    model.train()
    model.HumanSpace_Conv[0][0].register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    output = model(frames_of(1, 7), torch.tensor([[3, 4]]))
    assert output.logits.isfinite().all() and output.mask.shape[0] == 7
    output.embeddings.sum().backward()
    assert calls == [7, 0, 0, 0][:longest]
    assert all(buffer.isfinite().all() for buffer in model.buffers())


def test_frames_of_any_size_are_resized(model):
    frames = frames_of(1, 2, (40, 30))
    resized = F.interpolate(frames[0], size=(16, 8), mode="bilinear", align_corners=False)[None]
    assert_golden(embed(model, frames), embed(model, resized), 1e-6)


def test_pixels_outside_the_mask_are_ignored(model):
    original = model.mask
    model.mask = lambda *tokens: torch.zeros_like(original(*tokens))
    first, second = embed(model, frames_of(1, 2)), embed(model, -frames_of(1, 2))
    assert torch.equal(first, second)


def test_trained_parts_learn_and_frozen_ones_do_not(model):
    model.train()
    assert not model.Backbone.training and not model.Mask_Branch.training and model.HumanSpace_Conv.training
    before = {name: value.clone() for name, value in model.state_dict().items()}
    output = model(frames_of(4, 2))
    assert output.embeddings.shape == (4, 5, 24) and output.logits.shape == (4, 4, 24)
    (output.logits.square().sum() + output.embeddings.square().sum()).backward()
    for name, parameter in model.named_parameters():
        if name.startswith(("Backbone.", "Mask_Branch.")):
            assert parameter.grad is None and not parameter.requires_grad, name
        else:
            assert parameter.grad is not None, name
            # A constant before a norm has no effect.
            if not name.endswith((".1.bias", ".4.bias")):
                assert parameter.grad.abs().max() > 0, name
    after = model.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"HumanSpace_Conv", "Gait_Net"}


def test_synchronised_norms_keep_shared_networks(files):
    model = convert_sync_batchnorm(network(model_cfg(**files)))
    assert all(entry is model.Gait_Net.real_gait[0] for entry in model.Gait_Net.Gait_List)
    assert model.state_dict().keys() == published_names(groups=3, heads=1, depth=3)


def test_norms_of_the_human_space_can_have_weights(files):
    plain = set(network(model_cfg(**files)).state_dict())
    other = network(model_cfg(human_space={"affine": True, "channels": 3}, **files)).eval()
    assert embed(other, frames_of(1, 2)).shape == (1, 5, GROUPS * PARTS)
    names = set(other.state_dict())
    assert names - plain == {
        f"HumanSpace_Conv.{group}.{index}.{leaf}"
        for group in range(3)
        for index in (2, 6)
        for leaf in ("weight", "bias")
    }
    assert plain < names


def test_the_mask_branch_can_come_from_a_biggait_checkpoint(files, tmp_path):
    state = torch.load(files["pretrained_mask_branch"], weights_only=True)["model"]
    whole = {f"Mask_Branch.{name}": value for name, value in state.items()} | {"gait_net.FCs.fc_bin": torch.zeros(1)}
    torch.save({"model": whole, "iteration": 7, "optimizer": {}}, tmp_path / "biggait.pt")
    for path in (files["pretrained_mask_branch"], str(tmp_path / "biggait.pt")):
        branch = network(model_cfg(**files) | {"pretrained_mask_branch": path}).Mask_Branch.state_dict()
        assert branch.keys() == state.keys() and all(torch.equal(branch[name], state[name]) for name in state)
    torch.save({"model": {"fc": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other.pt does not fit BigGait's mask branch"):
        network(model_cfg(**files) | {"pretrained_mask_branch": str(tmp_path / "other.pt")})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"total_layer_num": 12}, "total_layer_num is 12, but the vision model has 3 blocks"),
        ({"group_layer_num": 2}, "group_layer_num is 2; it must divide the 3 layers"),
        ({"head_num": 2}, "head_num is 2; it must divide the 3 groups"),
        ({"head_num": 0}, "head_num is 0; it must divide"),
        ({"image_size": 10}, r"image_size \[20, 10\] is not a multiple"),
        ({"sils_size": "32"}, "sils_size is '32'"),
        ({"mask_tokens": "raw"}, "mask_tokens is 'raw'; expected one of"),
        ({"bin_num": [4]}, r"bin_num \[4\] gives 4 parts, but SeparateFCs has 8 and SeparateBNNecks 8"),
        ({"human_space": {"width": 8}}, "model_cfg.human_space has an unknown key 'width'"),
        ({"position_offset": "none"}, "position_offset is 'none'"),
        ({"Mask_Branch": {"up": True}}, "model_cfg.Mask_Branch has an unknown key 'up'"),
        ({"Mask_Branch": {"source_dim": 384}}, "Mask_Branch.source_dim is 384, but the vision model has 12 channels"),
    ],
)
def test_invalid_settings_are_named(files, changes, message):
    with pytest.raises(ConfigError, match=message):
        network(model_cfg(**files) | changes)
    settings = model_cfg(**files)
    del settings["bin_num"]
    with pytest.raises(ConfigError, match="model_cfg.bin_num is missing"):
        network(settings)
