"""The frozen vision model: DINOv2's original weights give the original's features; other models by name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from opengait_ext.models.vision_model import FrozenVisionModel
from tests.golden import seeded

GOLDEN = Path(__file__).parents[1] / "golden" / "opengait"


@pytest.fixture(scope="module")
def original_weights(tmp_path_factory) -> str:
    """A file in the format of dinov2_vits14_pretrain.pth with the golden recipe's values."""
    shapes = json.loads((GOLDEN / "dinov2_vits14.json").read_text())["state"]
    values = {name: seeded.state_value(name, tuple(shape)) for name, shape in shapes.items()}
    path = tmp_path_factory.mktemp("weights") / "dinov2_vits14_pretrain.pth"
    torch.save({name: torch.from_numpy(value.astype(np.float32)) for name, value in values.items()}, path)
    return str(path)


@pytest.mark.parametrize("size", [(448, 224), (224, 224), (252, 126)])
def test_features_equal_the_originals(original_weights, size):
    model = FrozenVisionModel(weights=original_weights, image_size=size)
    name = f"{size[0]}x{size[1]}"
    frames = seeded.normal(f"input:dinov2_vits14:{name}", (1, 3, *size)).astype(np.float32)
    features = model(torch.from_numpy(frames))
    with np.load(GOLDEN / "dinov2_vits14.npz") as golden:
        expected = {"last": golden[f"{name}__last"], "mid4": golden[f"{name}__mid4"]}
    for got, key in ((features.last[:, ::37, ::3], "last"), (features.layers[:, ::37, ::12], "mid4")):
        assert np.abs(got.numpy() - expected[key]).max() / expected[key].std() < 1e-4
    assert features.grid == (size[0] // 14, size[1] // 14)


def test_an_unresampled_table_is_left_alone(original_weights):
    state = torch.load(original_weights, weights_only=True)
    model = FrozenVisionModel(weights=original_weights, image_size=(518, 518))
    assert torch.equal(model.transformer.pos_embed, state["pos_embed"])


def test_frames_are_resized_to_the_models_size():
    torch.manual_seed(0)
    model = FrozenVisionModel(
        "vit_tiny_patch16_224", layers=[1], image_size=(64, 32), arguments={"depth": 2, "embed_dim": 24, "num_heads": 2}
    )
    frames = torch.randn(2, 3, 48, 20)
    resized = torch.nn.functional.interpolate(frames, size=(64, 32), mode="bilinear", align_corners=False)
    assert torch.equal(model(frames).last, model(resized).last)
    assert model(frames).layers.shape == (2, 8, 24)
    assert not model(frames).last.requires_grad


def test_a_model_trained_with_other_statistics_gets_its_own():
    torch.manual_seed(0)
    arguments = {"depth": 1, "embed_dim": 24, "num_heads": 2}
    model = FrozenVisionModel("vit_base_patch16_clip_224", layers=[0], image_size=(32, 32), arguments=arguments)
    mean, std = (torch.tensor(model.transformer.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    pixels = torch.rand(1, 3, 32, 32)
    imagenet = (pixels - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    own = model.transformer.forward_features((pixels - mean) / std)[:, 1:]
    assert torch.allclose(model(imagenet).last, own, atol=1e-5)
