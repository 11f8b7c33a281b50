"""The frozen vision model: DINOv2's original weights give the original's features; other models by name."""

import json

import numpy as np
import pytest
import timm
import torch

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models.shared.vision_model import FrozenVisionModel
from tests.golden import seeded
from tests.paths import GOLDEN_DIR

GOLDEN = GOLDEN_DIR / "opengait"


@pytest.fixture(scope="module")
def original_weights(tmp_path_factory) -> str:
    """Write a file in the format of dinov2_vits14_pretrain.pth with the golden recipe's values."""
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
    for output, key in ((features.last[:, ::37, ::3], "last"), (features.layers[:, ::37, ::12], "mid4")):
        assert np.abs(output.numpy() - expected[key]).max() / expected[key].std() < 1e-4
    assert features.grid == (size[0] // 14, size[1] // 14)


def test_a_position_table_that_fits_is_unchanged(original_weights):
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


def test_frames_are_normalised_with_the_models_own_statistics():
    torch.manual_seed(0)
    arguments = {"depth": 1, "embed_dim": 24, "num_heads": 2}
    model = FrozenVisionModel("vit_base_patch16_clip_224", layers=[0], image_size=(32, 32), arguments=arguments)
    mean, std = (torch.tensor(model.transformer.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    pixels = torch.rand(1, 3, 32, 32)
    imagenet = (pixels - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    expected = model.transformer.forward_features((pixels - mean) / std)[:, 1:]
    assert torch.allclose(model(imagenet).last, expected, atol=1e-5)


OTHER_MODELS = [
    "vit_small_patch16_dinov3",
    "vit_base_patch16_clip_224.openai",
    "vit_base_patch16_224.mae",
    "vit_base_patch16_siglip_224",
]
NARROW = {"depth": 2, "embed_dim": 32, "num_heads": 2}


@pytest.mark.parametrize("name", OTHER_MODELS)
def test_other_vision_transformers(name, tmp_path):
    """Weights come from a file in timm's layout or from timm, for a grid other than the trained one."""
    torch.manual_seed(0)
    state = timm.create_model(name, num_classes=0, **NARROW).state_dict()
    file = tmp_path / "weights.pth"
    torch.save(state, file)
    shape = {"layers": [0, 1], "image_size": (64, 32)}
    local = FrozenVisionModel(name, str(file), arguments=NARROW, **shape)
    fetched = FrozenVisionModel(
        name, "timm", arguments=NARROW | {"pretrained_cfg_overlay": {"file": str(file), "hf_hub_id": None}}, **shape
    )
    assert torch.equal(local.transformer.blocks[1].mlp.fc1.weight, state["blocks.1.mlp.fc1.weight"])
    frames = torch.randn(2, 3, 128, 64)
    features = local(frames)
    assert features.grid == (4, 2) and features.last.shape == (2, 8, 32) and features.layers.shape == (2, 8, 64)
    assert torch.equal(features.last, fetched(frames).last)
    assert not torch.equal(features.last[0], features.last[1])


@pytest.mark.parametrize("layout", ["DINOv2's", "timm's", "CLIP's"])
def test_weights_for_other_patches_are_refused(layout, tmp_path):
    """timm's readers would resample them, which changes the features."""
    small = NARROW | {"patch_size": 14}
    state = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=28, **small).state_dict()
    state["patch_embed.proj.weight"] = torch.randn(32, 3, 16, 16)
    if layout == "DINOv2's":
        state["mask_token"] = torch.zeros(1, 32)
    if layout == "CLIP's":
        state = {"visual.conv1.weight": state["patch_embed.proj.weight"]}
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"weight is for patches of 16 x 16 pixels, not 14 x 14\.$"):
        FrozenVisionModel("vit_small_patch14_dinov2", str(tmp_path / "other.pth"), [0], (28, 28), NARROW)


def test_weights_that_timm_cannot_fetch(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network\nand much more")

    build = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: refuse() if k["pretrained"] else build(*a, **k))
    with pytest.raises(CheckpointError, match=r"weights of vit_base_patch16_224.mae \(no network\); name a file"):
        FrozenVisionModel("vit_base_patch16_224.mae", "timm", image_size=(64, 32), arguments=NARROW)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_none", "has no model"),
        ("vit_base_patch16_224.none", "cannot build"),
        ("mixer_s32_224", "not a plain"),
    ],
)
def test_names_that_are_not_vision_transformers(name, message):
    with pytest.raises(ConfigError, match=message):
        FrozenVisionModel(name, image_size=(224, 224))
