"""Eq. 1: f_a = SP(E_app(frames)), an AGW encoder with a stem per modality, then set pooling."""

import copy

import pytest
import torch
import torchvision

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models.dinogrl.appearance import AppearanceEncoder
from opengait_ext.models.shared.pooling import StripeProjection, granularity_slices, set_pooling
from opengait_ext.models.shared.resnet import NonLocalBlock, ResNetStages
from opengait_ext.models.shared.two_stems import Stem


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return AppearanceEncoder("resnet10", width=8).eval()


def test_set_pooling_is_the_maximum_over_frames():
    frames = torch.tensor([[1.0, 5.0], [4.0, 2.0]]).view(1, 2, 1, 1, 2)
    assert set_pooling(frames).tolist() == [[[[4.0, 5.0]]]]


def test_order_and_repetition_of_frames_do_not_matter(encoder):
    frames, modality = torch.randn(2, 4, 3, 64, 32), torch.tensor([0, 1])
    shuffled = frames[:, [2, 0, 3, 1, 1]]
    assert torch.allclose(encoder(frames, modality), encoder(shuffled, modality), atol=1e-6)


@pytest.mark.parametrize("modality", [[0], [1], [1, 0, 1], [0, 0], [0, 1, 0, 1]])
def test_each_frame_goes_through_its_own_stem(encoder, modality):
    frames = torch.randn(len(modality), 3, 64, 32)
    output = encoder.enter(frames, torch.tensor(modality))
    expected = torch.cat([encoder.stems[kind](frame[None]) for kind, frame in zip(modality, frames, strict=True)])
    assert torch.allclose(output, expected, atol=1e-6)


@pytest.mark.parametrize("modality", [0, 1])
def test_a_batch_of_one_modality_reaches_the_other_stem_without_changing_it(encoder, modality):
    """DDP waits for the gradients of all parameters, so those of a stem without frames must be zero, not absent."""
    before = copy.deepcopy(encoder.stems[1 - modality].state_dict())
    encoder.train()(torch.randn(2, 1, 3, 64, 32), torch.tensor([modality] * 2)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert not any(parameter.grad.any() for parameter in encoder.stems[1 - modality].parameters())
    assert any(parameter.grad.any() for parameter in encoder.stems[modality].parameters())
    after = encoder.stems[1 - modality].state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before if "num_batches" not in name)


def test_the_map_is_a_sixteenth_of_the_frame(encoder):
    out = encoder(torch.randn(1, 1, 3, 96, 48), torch.tensor([1]))
    assert out.shape == (1, 64, 6, 3)
    smaller = AppearanceEncoder("resnet10", width=8, stem_pool=False)
    assert smaller(torch.randn(2, 1, 3, 96, 48), torch.tensor([0, 1])).shape == (2, 64, 12, 6)


def test_stem_without_relu():
    torch.manual_seed(0)
    stem = Stem(4).eval()
    linear = Stem(4, relu=False).eval()
    linear.load_state_dict(stem.state_dict())
    frames = torch.randn(2, 3, 32, 16)
    # Max pooling and ReLU commute.
    assert torch.allclose(linear(frames).relu(), stem(frames))
    assert linear(frames).min() < 0


def test_non_local_block_equals_its_definition():
    torch.manual_seed(0)
    block = NonLocalBlock(6).eval()
    torch.nn.init.normal_(block.norm.weight)
    maps = torch.randn(2, 6, 4, 3)
    query, key, value = (layer(maps).flatten(2) for layer in (block.query, block.key, block.value))
    affinity = query.transpose(1, 2) @ key / 12
    attended = (affinity @ value.transpose(1, 2)).transpose(1, 2).unflatten(2, (4, 3))
    expected = maps + block.norm(block.out(attended))
    assert torch.allclose(block(maps), expected, atol=1e-6)


def test_non_local_blocks_do_not_overflow_in_half_precision():
    """In float16 the sums over positions would overflow, and the first loss would not be finite."""
    torch.manual_seed(0)
    block = NonLocalBlock(64).train()
    torch.nn.init.normal_(block.norm.weight)
    maps = 60 * torch.rand(2, 64, 32, 16)
    exact = block(maps)
    with torch.autocast("cpu", dtype=torch.float16):
        half = block(maps.half())
    assert half.dtype == torch.float16
    assert torch.allclose(half.float(), exact, rtol=1e-2, atol=0.05)


def test_new_non_local_blocks_are_the_identity_in_stages_two_and_three():
    torch.manual_seed(0)
    stages = ResNetStages("resnet50", width=4, in_channels=4, non_local=True).eval()
    assert sorted(stages.non_local) == ["layer2_2", "layer2_3", "layer3_3", "layer3_4", "layer3_5"]
    plain = copy.deepcopy(stages)
    plain.non_local.clear()
    maps = torch.randn(2, 4, 16, 8)
    assert torch.equal(stages(maps), plain(maps))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_imagenet_weights_give_torchvisions_features(tmp_path, name):
    torch.manual_seed(0)
    reference = getattr(torchvision.models, name)().eval()
    torch.save(reference.state_dict(), tmp_path / "weights.pth")
    encoder = AppearanceEncoder(name, weights=str(tmp_path / "weights.pth")).eval()
    # Re-identification uses stride 1 in the last stage.
    first = reference.layer4[0]
    for module in (first.conv1, first.conv2, first.downsample[0]):
        module.stride = (1, 1)
    frames = torch.randn(2, 3, 64, 32)
    maps = reference.maxpool(reference.relu(reference.bn1(reference.conv1(frames))))
    maps = reference.layer4(reference.layer3(reference.layer2(reference.layer1(maps))))
    output = encoder(frames.unsqueeze(1), torch.tensor([0, 1]))
    assert torch.allclose(output, maps, rtol=1e-4, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"weights.pth does not fit the backbone resnet34"):
        AppearanceEncoder("resnet34", weights=str(tmp_path / "weights.pth"))
    with pytest.raises(ConfigError, match="width 64"):
        AppearanceEncoder("resnet18", weights=str(tmp_path / "weights.pth"), width=32)
    with pytest.raises(
        CheckpointError, match=r"download it from https://download.pytorch.org/models/resnet50-0676ba61"
    ):
        AppearanceEncoder(weights="nowhere/resnet50-0676ba61.pth")
    (tmp_path / "code.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(CheckpointError, match=r"code.pth is not a readable"):
        AppearanceEncoder("resnet18", weights=str(tmp_path / "code.pth"))
    with pytest.raises(ConfigError, match="resnet51"):
        AppearanceEncoder("resnet51")


def test_parts_are_the_global_feature_then_stripes_from_top_to_bottom():
    projection = StripeProjection(1, 1, [2, 4])
    torch.nn.init.ones_(projection.FCs.fc_bin)
    maps = torch.arange(4.0).view(1, 1, 4, 1)
    # Mean plus maximum: all rows 1.5 + 3, halves 0.5 + 1 and 2.5 + 3, then each row twice.
    assert projection(maps).flatten().tolist() == [4.5, 1.5, 5.5, 0, 2, 4, 6]
    assert granularity_slices([2, 4]) == [slice(1, 3), slice(3, 7)]
    with pytest.raises(ConfigError, match="6 rows high cannot be cut into 4"):
        projection(torch.zeros(1, 1, 6, 1))
