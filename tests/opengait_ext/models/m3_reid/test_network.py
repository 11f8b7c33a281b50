"""M3-ReID's network: the sheet's shapes and parameters, its forward pass step by step, and what must not matter."""

import dataclasses
from collections.abc import Iterator

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from opengait.config import load_config
from opengait.errors import CheckpointError, ConfigError
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.m3_reid.model import loss_terms
from opengait_ext.models.m3_reid.network import M3ReIDNet
from opengait_ext.models.shared.resnet import PLANS
from tests.paths import ROOT

SMALL = {"backbone": "resnet10", "width": 4}


def small(classes: int | None = 3, **changes) -> M3ReIDNet:
    """Return a small network in which every parameter matters, also those that start at zero."""
    torch.manual_seed(0)
    network = M3ReIDNet(classes, **{**SMALL, **changes})
    for block in network.non_local.values():
        nn.init.normal_(block.norm.weight, std=0.5)
    return network


def published() -> M3ReIDNet:
    """Return the network of the configuration."""
    model_cfg = load_config(ROOT / "configs/m3_reid/hitsz.yaml")["model_cfg"]
    return M3ReIDNet.from_config(model_cfg | {"weights": None})


@pytest.fixture
def no_numbers() -> Iterator[None]:
    """Let tensors have shapes only."""
    with FakeTensorMode():
        yield


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.usefixtures("no_numbers")
def test_parameters_of_the_published_network():
    network = published()
    resnet50 = torchvision.models.resnet50()
    assert size(network.stem) + size(network.stages) == size(resnet50) - size(resnet50.fc) == 23_508_032
    blocks = {place: size(block) for place, block in network.non_local.items()}
    layer2 = 3 * (512 * 128 + 128) + (128 * 512 + 512) + 2 * 512
    layer3 = 3 * (1024 * 256 + 256) + (256 * 1024 + 1024) + 2 * 1024
    assert blocks == {"layer2_2": layer2, "layer2_3": layer2} | {f"layer3_{index}": layer3 for index in (3, 4, 5)}
    assert (2 * layer2, 3 * layer3) == (528_128, 3_157_248)
    assert size(network.attention) == 3 * (2048 * 2 + 2)
    assert size(network.neck) == 2 * 12_288 and not network.neck.bias.requires_grad
    assert size(network.classifier) == size(network.frame_classifier) == 12_288 * 500
    assert size(network) == 39_518_278


@pytest.mark.parametrize(
    ("height", "width", "maps"), [(288, 144, (9, 5)), (384, 192, (12, 6)), (256, 128, (8, 4)), (97, 51, (4, 2))]
)
@pytest.mark.usefixtures("no_numbers")
def test_shapes_of_the_published_network(height, width, maps):
    output = published().eval()(torch.empty(2, 6, 3, height, width))
    shapes = {field.name: tuple(getattr(output, field.name).shape) for field in dataclasses.fields(output)}
    assert shapes == {
        "descriptor": (2, 12_288, 1),
        "embedding": (2, 12_288, 1),
        "frames": (2, 12_288, 6),
        "masks": (2, 6, 3, 2, *maps),
        "logits": (2, 500, 1),
        "frame_logits": (2, 500, 6),
    }


@pytest.mark.usefixtures("no_numbers")
def test_maps_of_every_stage():
    network, shapes = published().eval(), {}
    for name in ("stem", "stages.layer1", "stages.layer2", "stages.layer3", "stages.layer4"):
        stage = network.get_submodule(name)
        last = stage if name == "stem" else list(stage.children())[-1]
        last.register_forward_hook(lambda *call, name=name: shapes.update({name: tuple(call[2].shape[1:])}))
    network(torch.empty(1, 1, 3, 288, 144))
    assert list(shapes.values()) == [(64, 72, 36), (256, 72, 36), (512, 36, 18), (1024, 18, 9), (2048, 9, 5)]


def slow_forward(network: M3ReIDNet, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frames' vectors (n, s, d) and the embeddings (n, d) of a network in evaluation mode."""
    count = frames.shape[1]
    maps = network.stem(frames.flatten(0, 1))
    for stage, blocks in enumerate(PLANS["resnet10"].blocks, start=1):
        for index in range(blocks):
            maps = network.stages.get_submodule(f"layer{stage}.{index}")(maps)
            if stage in (2, 3):  # the only block of each
                own = network.non_local[f"layer{stage}_{index}"]
                whole = [own(torch.stack(list(part), dim=1)[None])[0].unbind(1) for part in maps.split(count)]
                maps = torch.stack([frame for tracklet in whole for frame in tracklet])
    vectors = []
    for frame in maps:
        parts = []
        for view in ("hw", "tw", "th"):
            masks = torch.sigmoid(network.attention.get_submodule(view)(frame[None]))[0]
            parts += [((mask * frame) ** 3).mean(dim=(1, 2)).add(1e-12) ** (1 / 3) for mask in masks]
        vectors.append(torch.cat(parts))
    neck = network.neck
    normalised = (torch.stack(vectors) - neck.running_mean) / (neck.running_var + neck.eps).sqrt() * neck.weight
    normalised = normalised.unflatten(0, (len(frames), count))
    return normalised, sum(normalised.unbind(1)) / count


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_forward_pass(frames):
    network = small().double().eval()
    nn.init.uniform_(network.neck.running_mean)
    nn.init.uniform_(network.neck.running_var, 0.5, 2)
    x = torch.randn(3, frames, 3, 64, 32, dtype=torch.float64)
    output = network(x)
    vectors, embedding = slow_forward(network, x)
    torch.testing.assert_close(output.frames, vectors.transpose(1, 2))
    torch.testing.assert_close(output.embedding[..., 0], embedding)
    torch.testing.assert_close(output.descriptor[..., 0], embedding / embedding.norm(dim=1, keepdim=True))
    torch.testing.assert_close(output.logits[..., 0], embedding @ network.classifier.weight.T)
    torch.testing.assert_close(output.frame_logits, (vectors @ network.frame_classifier.weight.T).transpose(1, 2))


def test_a_tracklet_does_not_depend_on_its_batch_nor_its_modality():
    network = small().double().eval()
    x = torch.randn(4, 2, 3, 48, 33, dtype=torch.float64)  # odd sizes
    whole = network(x, torch.tensor([0, 1, 0, 1])).descriptor
    for rows in ([2], [3, 0, 1, 2]):
        torch.testing.assert_close(network(x[rows]).descriptor, whole[rows])


def test_the_order_of_frames_does_not_matter():
    network = small().double().eval()
    x = torch.randn(2, 3, 3, 64, 32, dtype=torch.float64)
    torch.testing.assert_close(network(x[:, [2, 0, 1]]).descriptor, network(x).descriptor)


def test_every_parameter_learns_from_the_losses_of_the_configuration():
    cfgs = load_config(ROOT / "configs/m3_reid/hitsz.yaml")
    network, losses = small().train(), LossAggregator(cfgs["loss_cfg"])
    labels, modality = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    terms = loss_terms(network(torch.randn(4, 2, 3, 64, 32)), labels, modality)
    assert sorted(losses.losses) == sorted(terms)
    total, info = losses(terms)
    values = [value for name, value in info.items() if name.endswith("/loss")]
    assert len(values) == 6 and float(total.detach()) == pytest.approx(float(sum(values)), rel=1e-6)
    total.backward()
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    # A bias before a softmax over keys, or before a norm, changes nothing, but has a gradient of rounding errors.
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in trained.values())


@pytest.mark.parametrize(
    ("labels", "modality"), [([0, 0, 1, 1], [0, 0, 0, 0]), ([0, 1, 1, 2], [0, 0, 1, 1]), ([0], [1])]
)
def test_batches_that_lack_a_modality_or_a_match_train(labels, modality):
    losses = LossAggregator(load_config(ROOT / "configs/m3_reid/hitsz.yaml")["loss_cfg"])
    network = small().train()
    output = network(torch.randn(len(labels), 2, 3, 64, 32))
    total, _ = losses(loss_terms(output, torch.tensor(labels), torch.tensor(modality)))
    total.backward()
    assert total.isfinite()
    gradients = [p.grad for p in network.parameters() if p.requires_grad]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_one_frame_in_training_needs_a_second_tracklet():
    with pytest.raises(ConfigError, match="batch of one tracklet"):
        small().train()(torch.randn(1, 1, 3, 64, 32))
    assert small().train()(torch.randn(2, 1, 3, 64, 32)).descriptor.isfinite().all()


def test_bad_settings_are_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="unknown key 'haeds'; did you mean heads"):
        M3ReIDNet.from_config({"model": "M3ReID", "haeds": 2})
    with pytest.raises(ConfigError, match="no backbone 'resnet5'"):
        M3ReIDNet.from_config({"backbone": "resnet5"})
    with pytest.raises(CheckpointError, match=r"nowhere\.pth"):
        M3ReIDNet.from_config({**SMALL, "weights": str(tmp_path / "nowhere.pth")})


def test_imagenet_weights_and_a_checkpoint_that_replaces_them():
    file = "pretrained/synthetic_resnet.safetensors"
    network = M3ReIDNet(None, backbone="resnet10", width=16, weights=file)
    plain = M3ReIDNet(None, backbone="resnet10", width=16)
    assert not torch.equal(network.stem.conv1.weight, plain.stem.conv1.weight)
    assert not torch.equal(network.stages.layer3[0].conv1.weight, plain.stages.layer3[0].conv1.weight)
    settings = {"backbone": "resnet10", "width": 16}
    assert M3ReIDNet.without_replaced_weights({**settings, "weights": file}, lambda: {}) == settings


def test_autocast_gives_float32_vectors():
    network = small().eval()
    x = torch.randn(2, 2, 3, 64, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = network(x)
    assert half.descriptor.dtype is half.frames.dtype is torch.float32
    with torch.no_grad():
        full = network(x)
    assert float((half.descriptor - full.descriptor).norm()) < 0.1
