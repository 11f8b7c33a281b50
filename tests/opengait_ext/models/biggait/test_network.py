"""BigGait's network: upstream's numbers, names and weight files, and each part against an independent computation."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from opengait.errors import CheckpointError, ConfigError, DataError
from opengait_ext.models.biggait.network import LOSS_WEIGHTS, BigGaitNet
from opengait_ext.models.biggait.parts import person_pixels, restore_ratio
from opengait_ext.models.shared import tokens as shared_tokens
from opengait_ext.models.shared.connectivity import sobel_loss
from opengait_ext.models.shared.diversity import diversity_loss
from opengait_ext.models.shared.foreground import border_channel, silhouette_band
from opengait_ext.models.shared.tokens import black_out, enlarged_tokens, scatter_tokens
from tests.golden.compare import assert_golden, filled, normals, uniforms
from tests.opengait_ext.models.biggait.tiny import tiny_config, tiny_frames, tiny_network
from tests.paths import GOLDEN_DIR

GOLDEN = GOLDEN_DIR / "opengait"
FACTS = json.loads((GOLDEN / "biggait.json").read_text())


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "biggait.npz") as whole, np.load(GOLDEN / "biggait_unpadded_stages.npz") as stages:
        return {**whole, **stages}


@pytest.fixture(scope="module")
def network() -> BigGaitNet:
    return filled(BigGaitNet.from_config(FACTS["model_cfg"]))


def run(network: BigGaitNet, case: str):
    recorded = FACTS["inputs"][case]
    frames = normals(f"input:{recorded['case']}:rgb", *recorded["rgb"])
    ratios = 0.3 + 0.4 * uniforms(f"input:{recorded['case']}:ratios", *recorded["ratios"])
    lengths = None if recorded["seqL"] is None else torch.tensor(recorded["seqL"], dtype=torch.int32)
    return network(frames, ratios, lengths)


# Upstream's numbers.


def test_names_and_shapes_are_upstreams(network):
    state = network.state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == FACTS["state"]
    assert sum(parameter.numel() for parameter in network.parameters()) == FACTS["parameters"]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["padded_packed", "unpadded"])
def test_descriptors_and_stages_equal_upstreams(network, expected, case):
    with torch.no_grad():
        output = run(network, case)
    assert_golden(output.embeddings, expected[f"{case}__embeddings"])
    maps, shares = output.maps, FACTS["outputs"][case]
    for values, share in (
        (maps.body != 0, "body_nonzero"),
        (maps.foreground != 0, "foreground_nonzero"),
        (maps.foreground == 1, "foreground_ones"),
    ):
        assert float(values.float().mean()) == pytest.approx(shares[share], abs=1e-6)
    if case == "unpadded":
        assert_golden(maps.body[:, 0], expected["body"])
        assert_golden(maps.foreground[:, 0], expected["foreground"])
        assert_golden(maps.denoising.transpose(0, 1)[None], expected["denoising"])
        assert_golden(maps.appearance.transpose(0, 1)[None], expected["appearance"])


@pytest.mark.slow
def test_training_and_test_of_one_batch_equal_upstreams(network, expected):
    buffers = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    features = []
    hook = network.backbone.register_forward_hook(lambda *call: features.append(call[-1]))
    with torch.no_grad():
        assert_golden(run(network, "padded").embeddings, expected["padded__embeddings"])
        hook.remove()
        # The frozen model's features are the same in training, and take most of the time.
        frozen = network.backbone.register_forward_pre_hook(lambda module, frames: (frames[0][:1],))
        replay = network.backbone.register_forward_hook(lambda *call: features[0])
        output = run(network.train(), "padded")
        frozen.remove()
        replay.remove()
    network.eval().load_state_dict(buffers, strict=False)
    assert_golden(output.embeddings, expected["train__embeddings"])
    for name, value in FACTS["train_iteration_600_losses"].items():
        assert float(LOSS_WEIGHTS[name] * output.maps.losses[name]) == pytest.approx(value, rel=1e-5), name


# Weight files and checkpoints.


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory) -> tuple[Path, dict[str, torch.Tensor]]:
    """Write a file like dinov2_vits14_pretrain.pth for the small model."""
    network = tiny_network()
    state = {name: torch.randn_like(value) for name, value in network.backbone.state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "dinov2_vits14_pretrain.pth"
    torch.save(state, path)
    return path, state


def test_the_vision_models_file_is_saved_unchanged(dinov2):
    path, state = dinov2
    network = tiny_network(pretrained_dinov2=str(path))
    saved = network.state_dict()
    assert all(torch.equal(saved[f"backbone.{name}"], value) for name, value in state.items())
    assert state["pos_embed"].shape == (1, 1370, 24) and state["mask_token"].shape == (1, 24)
    assert not any("transformer" in name for name in saved)
    # Every forward pass resamples the table that is in the state.
    frames = tiny_frames(2)
    before = network.backbone(frames).last
    saved["backbone.pos_embed"].mul_(2)
    assert not torch.allclose(before, network.backbone(frames).last)


def test_weight_files_of_another_model_are_refused(dinov2, tmp_path):
    path, state = dinov2
    for change, message in (
        ({"mask_token": None}, "mask_token is missing"),
        ({"head.weight": torch.zeros(1)}, "head.weight is unknown"),
        ({"pos_embed": torch.zeros(1, 5, 24)}, "pos_embed has shape"),
    ):
        changed = {name: value for name, value in {**state, **change}.items() if value is not None}
        torch.save(changed, tmp_path / "other.pth")
        with pytest.raises(CheckpointError, match=message):
            tiny_network(pretrained_dinov2=str(tmp_path / "other.pth"))
    with pytest.raises(CheckpointError, match="missing.*https://dl.fbaipublicfiles.com"):
        tiny_network(pretrained_dinov2=str(tmp_path / "dinov2_vits14_pretrain.pth"))


def test_a_state_loads_strictly_under_upstreams_names():
    first, second = tiny_network(0), tiny_network(1)
    result = second.load_state_dict(first.state_dict())
    assert not result.missing_keys and not result.unexpected_keys
    with torch.no_grad():
        frames = tiny_frames(1, 2)
        assert torch.equal(first.eval()(frames).embeddings, second.eval()(frames).embeddings)
    with pytest.raises(RuntimeError, match="backbone.transformer.norm.weigth"):
        second.load_state_dict({"backbone.transformer.norm.weigth": torch.zeros(24)}, strict=True)


def test_other_transformers_keep_timms_names(tmp_path):
    vision = {
        "name": "vit_tiny_patch16_224",
        "layers": [0, 1],
        "arguments": {"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
    }
    branch = {"source_dim": 48}
    changes = {"vision_model": vision, "Denoising_Branch": branch, "Appearance_Branch": branch}
    network = tiny_network(**changes)
    state = network.backbone.state_dict()
    assert state["pos_embed"].shape == (1, 1 + 14 * 7, 24) and "mask_token" not in state
    torch.save(state, tmp_path / "vit.pth")
    again = tiny_network(3, **changes, pretrained_dinov2=str(tmp_path / "vit.pth"))
    assert torch.equal(again.backbone.state_dict()["norm.weight"], state["norm.weight"])


# Frames, ratios and pixels.


def test_padding_and_cropping_keep_the_centre():
    ratios = torch.tensor([0.3103, 0.5, 0.55, 0.0001, 2.0])
    frames = 1 + torch.rand(5, 1, 40, 30)
    restored = restore_ratio(frames, ratios, (64, 32))
    for frame, ratio, out in zip(frames, ratios.tolist(), restored, strict=True):
        wide = max(1, int(64 * ratio))
        scaled = F.interpolate(frame[None], size=(64, wide), mode="bilinear", align_corners=False)[0]
        if wide <= 32:
            left = (32 - wide) // 2
            expected_values = torch.zeros(1, 64, 32)
            expected_values[..., left : left + wide] = scaled
        else:
            # Of an odd surplus, the extra column is cropped on the left, as in OpenGait's preparation of frames.
            left = -(-(wide - 32) // 2)
            expected_values = scaled[..., left : left + 32]
        assert torch.allclose(out, expected_values)
    assert torch.equal(person_pixels(ratios, (64, 32)), restored[:, 0] != 0)


def test_cropping_can_keep_the_left():
    ratios = torch.tensor([0.3103, 0.75])
    frames = torch.rand(2, 1, 40, 30)
    narrow, wide = restore_ratio(frames, ratios, (64, 32), crop="left")
    assert torch.equal(narrow, restore_ratio(frames[:1], ratios[:1], (64, 32))[0])
    scaled = F.interpolate(frames[1:], size=(64, 48), mode="bilinear", align_corners=False)[0]
    assert torch.equal(wide, scaled[..., :32])
    left, centre = (tiny_network(0, crop=crop).eval() for crop in ("left", "centre"))
    frames, ratios = torch.rand(1, 2, 3, 40, 30), torch.full((1, 2), 0.8)
    assert not torch.allclose(left(frames, ratios).embeddings, centre(frames, ratios).embeddings)


def test_only_the_chosen_pixels_are_enlarged(monkeypatch):
    tokens, chosen = torch.randn(5, 6, 7), torch.rand(5, 8, 4) > 0.6
    chosen[3] = False
    maps = F.interpolate(tokens.transpose(1, 2).unflatten(2, (3, 2)), size=(8, 4), mode="bilinear", align_corners=False)
    expected_values = maps.permute(0, 2, 3, 1)[chosen]
    for at_once in (1, 64, 10**6):
        monkeypatch.setattr(shared_tokens, "_PIXELS_AT_ONCE", at_once)
        assert torch.allclose(enlarged_tokens(tokens, (3, 2), (8, 4), chosen), expected_values)
    back = scatter_tokens(expected_values, chosen.flatten(), torch.Size((5, 1, 8, 4)))
    assert torch.allclose(back, maps * chosen[:, None])


def test_the_vision_model_processes_many_frames_in_chunks():
    network, frames = tiny_network(), tiny_frames(5)
    whole = network.backbone(frames)
    network.backbone.frames_at_once = 2
    chunks = network.backbone(frames)
    assert torch.allclose(whole.last, chunks.last, atol=1e-5)
    assert torch.allclose(whole.layers, chunks.layers, atol=1e-5) and whole.grid == chunks.grid


@pytest.mark.parametrize(
    ("ratios", "shape"),
    [([[0.5, -1.0]], "-1"), ([[0.0, 0.5]], " 0.0;"), ([[0.5, math.nan]], "nan"), ([[0.5, math.inf]], "inf")]
    + [([[0.5]], "1, 1")],
)
@pytest.mark.parametrize("width", [32, 40])  # 64 x 40 is resized by the ratios
def test_invalid_ratios_are_refused(ratios, shape, width):
    with pytest.raises(DataError, match=shape):
        tiny_network()(torch.randn(1, 2, 3, 64, width), torch.tensor(ratios))


def test_padding_is_left_out_of_frames_twice_as_high_as_wide():
    network = tiny_network().eval()
    frames = tiny_frames(1, 1)
    with torch.no_grad():
        narrow = network.silhouettes(frames, torch.tensor([[0.25]]))
        assert torch.equal(narrow.body[..., :2], torch.zeros(1, 1, 16, 2))
        assert (narrow.body[..., 2:6] > 0).all()
        assert torch.equal(network(frames).embeddings, network(frames, torch.tensor([[0.5]])).embeddings)


# Mask, silhouette and losses.


def test_the_border_decides_the_channel_and_a_tie_keeps_the_first():
    first = torch.full((3, 12, 4), 0.2)
    first[0, :5] = 0.9
    first[0, 5:6] = 0.9
    first[1, :5] = first[1, -1:] = 0.9
    first[2, -5:] = first[2, 0, 0] = 0.9
    chosen = border_channel(torch.stack([first, 1 - first], dim=1))
    assert torch.equal(chosen[0, 0], first[0])
    assert torch.equal(chosen[1, 0], 1 - first[1])
    assert torch.equal(chosen[2, 0], 1 - first[2])


def test_the_silhouette_band_equals_opencvs_morphology():
    torch.manual_seed(0)
    mask = F.avg_pool2d(torch.rand(6, 1, 68, 36), 5, stride=1)
    mask = ((mask - 0.5) * 6 + 0.5).clamp(0.01, 0.99)
    for frame, band in zip(mask[:, 0], silhouette_band(mask)[:, 0], strict=True):
        grown = cv2.dilate(frame.round().numpy(), np.ones((3, 3)))
        core = cv2.erode(grown, np.ones((5, 5)))
        expected_values = np.logical_xor(grown, core) * frame.numpy() + core
        assert np.allclose(band.numpy(), expected_values)
        assert 0 < core.mean() < grown.mean() < 1


def test_sobel_loss_sums_channels_first_and_includes_the_borders():
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 5, 4)
    summed = F.pad(maps.sum(1), (1, 1, 1, 1))
    smooth, slope = torch.tensor([1.0, 2, 1]), torch.tensor([-1.0, 0, 1])
    patches = summed.unfold(1, 3, 1).unfold(2, 3, 1)
    across = torch.einsum("fhwyx,y,x->fhw", patches, smooth, slope).abs().sum()
    down = torch.einsum("fhwyx,y,x->fhw", patches, slope, smooth).abs().sum()
    assert torch.allclose(sobel_loss(maps), (across + down) / maps.numel())


def biggait_diversity_loss(maps: torch.Tensor) -> torch.Tensor:
    return diversity_loss(maps, eps=1e-6, count_empty=True)


def test_diversity_is_zero_for_even_use_and_maximal_for_one_channel():
    even = torch.full((2, 16, 3, 3), 0.1)
    one = torch.zeros(2, 16, 3, 3)
    one[:, 5] = 1
    assert float(biggait_diversity_loss(even)) == pytest.approx(0, abs=1e-3)
    assert float(biggait_diversity_loss(one)) == pytest.approx(4, abs=1e-3)
    assert float(biggait_diversity_loss(torch.cat([even, 0 * one]))) == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize(("lengths", "count"), [([3] * 10, 2), ([1, 4], 0), ([5, 1, 2], 1), ([2] * 13, 3)])
def test_a_fifth_of_the_tracklets_lose_one_map(lengths, count):
    observed = set()
    for seed in range(12):
        torch.manual_seed(seed)
        maps = black_out(torch.ones(sum(lengths), 2, 3, 1), torch.ones(sum(lengths), 2, 3, 1), lengths)
        kept = torch.stack([torch.stack([part.mean() for part in m.split(lengths)]) for m in maps])
        assert set(kept.unique().tolist()) <= {0.0, 1.0}
        assert int((kept == 0).sum()) == count and int((kept.sum(0) == 1).sum()) == count
        observed |= {(int(which), int(tracklet)) for which, tracklet in (kept == 0).nonzero()}
    assert not count or ({which for which, _ in observed} == {0, 1} and len(observed) > 2)


@pytest.mark.parametrize(("shape", "lengths"), [((5, 2), None), ((1, 10), [[2, 2, 2, 2, 2]])])
def test_maps_are_blacked_out_in_training_only(shape, lengths):
    network, observed = tiny_network(), []
    for stem in (network.gait_net.pre_part, network.gait_net.pre_rgb):
        stem.register_forward_pre_hook(lambda module, arguments: observed.append(arguments[0]))
    for training in (True, False):
        network.train(training)(tiny_frames(*shape), None, lengths)
    kept = torch.stack([maps.unflatten(0, (5, 2)).flatten(1).any(dim=1) for maps in observed]).view(2, 2, 5)
    assert int((~kept[0]).sum()) == 1 and kept[1].all()


# Learning.


def test_the_mask_branch_learns_only_from_its_own_losses():
    network = tiny_network().train()
    output = network(tiny_frames(4, 2), learn_mask=True)
    output.logits.sum().backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in network.Mask_Branch.parameters())
    (output.maps.losses["shape_mse"] + output.maps.losses["shape_connect"]).backward()
    assert all(parameter.grad is not None for parameter in network.Mask_Branch.parameters())
    assert all(parameter.grad is None for parameter in network.backbone.parameters())


def test_a_frozen_mask_branch_has_no_updates_and_no_dropout():
    network = tiny_network().train()
    before = {name: value.clone() for name, value in network.Mask_Branch.state_dict().items()}
    frames = tiny_frames(2, 2)
    first, second = (network(frames).maps for _ in range(2))
    assert torch.equal(first.body, second.body)
    sum(first.losses.values()).backward()
    assert all(parameter.grad is None for parameter in network.Mask_Branch.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.Mask_Branch.state_dict().items())
    learning = [network(frames, learn_mask=True).maps.body for _ in range(2)]
    assert not torch.equal(*learning)
    assert network.Mask_Branch.bn_s.num_batches_tracked == 2


def test_the_mask_branch_does_not_learn_in_evaluation_mode():
    network = tiny_network().eval()
    frames = tiny_frames(2, 2)
    with torch.no_grad():
        output = network(frames, learn_mask=True)
        assert torch.equal(output.embeddings, network(frames).embeddings)
    assert network.Mask_Branch.bn_s.num_batches_tracked == 0 and not output.maps.losses


def test_every_trained_parameter_gets_a_gradient():
    network = tiny_network().train()
    output = network(tiny_frames(3, 2), learn_mask=True)
    (output.logits.square().sum() + sum(output.maps.losses.values())).backward()
    for name, parameter in network.named_parameters():
        if not name.startswith("backbone."):
            assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_the_mask_losses_use_upstreams_memory_layout():
    network = tiny_network().train()
    valid = torch.ones(2, 16, 8, dtype=torch.bool)
    tokens = torch.randn(256, 24)
    _, losses = network.find_body(tokens, valid, learn=False)
    probabilities = network.Mask_Branch(tokens).detach()
    assert torch.allclose(losses["shape_connect"], sobel_loss(probabilities.view(2, 2, 16, 8)))
    decoded = network.Mask_Branch.up_sampling(probabilities)
    assert torch.allclose(losses["shape_mse"], (decoded - tokens).square().mean())


def test_the_last_channel_is_left_out_of_part_connect():
    network = tiny_network().train()
    maps = network.silhouettes(tiny_frames(1, 3))
    assert torch.allclose(maps.losses["part_connect"], sobel_loss(maps.denoising[:, :3]))


# Batches.


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 5)])
def test_tracklets_are_independent_in_evaluation_mode(shape):
    network = tiny_network().eval()
    frames, ratios = tiny_frames(*shape), 0.3 + 0.4 * torch.rand(shape)
    with torch.no_grad():
        whole = network(frames, ratios).embeddings
        alone = torch.cat([network(f[None], r[None]).embeddings for f, r in zip(frames, ratios, strict=True)])
    assert whole.shape == (shape[0], 6, 4)
    assert torch.allclose(whole, alone, atol=1e-5)


def test_packed_tracklets_equal_single_ones():
    network = tiny_network().eval()
    frames, ratios = tiny_frames(1, 6), 0.3 + 0.4 * torch.rand(1, 6)
    with torch.no_grad():
        packed = network(frames, ratios, torch.tensor([[1, 3, 2]], dtype=torch.int32))
        alone = [network(frames[:, a:b], ratios[:, a:b]).embeddings for a, b in ((0, 1), (1, 4), (4, 6))]
    assert torch.allclose(packed.embeddings, torch.cat(alone), atol=1e-5)
    network.train()
    assert network(frames, ratios, torch.tensor([[1, 3, 2]])).logits.shape == (3, 8, 4)


def without_foreground(network: BigGaitNet) -> BigGaitNet:
    """Make the mask branch give foreground at the borders of all frames only, for either channel."""
    torch.nn.init.zeros_(network.Mask_Branch.down_sampling.weight)
    network.Mask_Branch.down_sampling.bias.data = torch.tensor([5.0, -5.0])
    return network


def test_a_batch_without_foreground():
    network = without_foreground(tiny_network())
    frames = tiny_frames(2, 2)
    with torch.no_grad():
        output = network.eval()(frames)
    assert not output.maps.foreground.any() and not output.maps.denoising.any() and not output.maps.appearance.any()
    assert output.embeddings.isfinite().all()
    output = network.train()(frames)
    # Norms need tokens, so in training all of them are used.
    assert output.maps.appearance.flatten(2).all() and not output.maps.foreground.any()
    (output.logits.square().sum() + sum(output.maps.losses.values())).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_one_frame_without_foreground(monkeypatch):
    network = tiny_network().train()
    find_body = network.find_body

    def second_frame_is_empty(*arguments):
        body, losses = find_body(*arguments)
        body[1] = 0
        return body, losses

    monkeypatch.setattr(network, "find_body", second_frame_is_empty)
    output = network(tiny_frames(2, 2))
    filled_frames = output.maps.denoising.flatten(1).any(dim=1)
    assert filled_frames.tolist() == [True, False, True, True]
    (output.logits.square().sum() + sum(output.maps.losses.values())).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


def test_half_precision_is_close():
    network = tiny_network().eval()
    frames = tiny_frames(2, 2)
    with torch.no_grad():
        full = network(frames)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = network(frames)
    same = (full.maps.foreground != 0) == (half.maps.foreground != 0)
    assert same.float().mean() > 0.95
    assert half.embeddings.isfinite().all()
    assert float((full.embeddings - half.embeddings).norm() / full.embeddings.norm()) < 0.1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network.train()(frames, learn_mask=True)
    (output.logits.float().sum() + sum(output.maps.losses.values())).backward()


# Configurations.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imgae_size": 56}, "imgae_size.*did you mean image_size"),
        ({"Mask_Branch": {"soft_max": True}}, "model_cfg.Mask_Branch has an unknown key 'soft_max'"),
        ({"Mask_Branch": {"source_dim": 23}}, "Mask_Branch.source_dim is 23, but must be 24"),
        ({"Mask_Branch": {"Up": False}}, "Mask_Branch.Up"),
        ({"Appearance_Branch": {"source_dim": 24}}, "Appearance_Branch.source_dim is 24, but must be 96"),
        ({"Appearance_Branch": {"target_dim": 5}}, "Appearance_Branch.target_dim is 5"),
        ({"AttentionFusion": {"feat_len": 3}}, "feat_len is 3"),
        ({"bin_num": [8]}, "gives 8 parts"),
        ({"backbone_cfg": {"type": "Plain"}}, "type is 'Plain'"),
        ({"backbone_cfg": {"widht": 3}}, "does not fit ResNet9.*widht"),
        ({"vision_model": {"precision": "int8"}}, "precision"),
        ({"crop": "right"}, "model_cfg.crop: .*'right'"),
        ({"Denoising_Branch": 3}, "model_cfg.Denoising_Branch: .* got 3"),
    ],
)
def test_invalid_settings_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        BigGaitNet.from_config(tiny_config(**changes))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("bin_num", "no key 'bin_num'"),
        ("backbone_cfg", "no key 'backbone_cfg'"),
        ("Mask_Branch", "no key 'Mask_Branch'"),
    ],
)
def test_missing_keys_are_named(missing, message):
    config = {key: value for key, value in tiny_config().items() if key != missing}
    with pytest.raises(ConfigError, match=message):
        BigGaitNet.from_config(config)


def test_a_branch_without_source_dim_is_named():
    config = tiny_config()
    config["Denoising_Branch"] = {"target_dim": 4}
    with pytest.raises(ConfigError, match="model_cfg.Denoising_Branch has no key 'source_dim'"):
        BigGaitNet.from_config(config)


def test_reading_all_pixels_gives_the_numbers_of_the_chosen_ones(monkeypatch):
    net = tiny_network().eval()
    # Frames of 1:1, which are resized first.
    frames = torch.randn(3, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = net.silhouettes(frames[None])
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
        maps = net.silhouettes(frames[None])
    assert 0 < (expected.foreground != 0).float().mean() < 1, "the choice must matter"
    for name in ("body", "foreground", "denoising", "appearance"):
        torch.testing.assert_close(getattr(maps, name), getattr(expected, name))
