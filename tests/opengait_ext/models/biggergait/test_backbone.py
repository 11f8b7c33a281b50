"""BiggerGait's vision model: Hugging Face's names and numbers, DINOv2's named files, and errors about other files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models.biggergait.backbone import (
    Dinov2Config,
    backbone_config,
    build_backbone,
    load_backbone,
    to_hugging_face,
)
from opengait_ext.models.shared.vision_model import FrozenVisionModel
from tests.golden import seeded
from tests.golden.compare import FOLDER, assert_golden, normals
from tests.opengait_ext.models.biggergait.hugging_face import (
    SETTINGS,
    TINY,
    hugging_face_shapes,
    reference,
    version_5_name,
    weights,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Write a Hugging Face folder."""
    path = tmp_path_factory.mktemp("lvm") / "dinov2-tiny"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(SETTINGS))
    save_file(weights(), path / "model.safetensors")
    return path


def loaded(path: Path, position_offset: float = 0.1, size: tuple[int, int] = (24, 12)) -> FrozenVisionModel:
    backbone = build_backbone(backbone_config(path), size, position_offset)
    load_backbone(backbone, path)
    return backbone


def last_block(backbone: FrozenVisionModel, frames: torch.Tensor) -> torch.Tensor:
    """Return the raw tokens of the last block."""
    return backbone.tokens(frames)[1][-1]


def test_the_state_has_hugging_faces_names_and_shapes(folder):
    state = loaded(folder).state_dict()
    expected = hugging_face_shapes(TINY)
    assert {name: tuple(value.shape) for name, value in state.items()} == expected
    order = [re.sub(r"encoder\.layer\.0\.|\.(weight|bias)$", "", name) for name in state if "layer.0." in name]
    assert list(dict.fromkeys(order)) == [
        "norm1",
        "attention.attention.query",
        "attention.attention.key",
        "attention.attention.value",
        "attention.output.dense",
        "layer_scale1.lambda1",
        "norm2",
        "mlp.fc1",
        "mlp.fc2",
        "layer_scale2.lambda1",
    ]
    for name, value in weights().items():
        assert torch.equal(state[name], value), name


@pytest.mark.parametrize("size", [(20, 20), (24, 12), (8, 4)])
def test_every_block_equals_hugging_faces(folder, size):
    frames = normals("bigger:frames", 2, 3, *size)
    outputs = loaded(folder, 0, size).tokens(frames)[1]
    expected = reference(weights(), frames, TINY)
    assert len(outputs) == 3
    for tokens, reference_tokens in zip(outputs, expected, strict=True):
        assert tokens.shape == (2, size[0] * size[1] // 16, 12)
        assert_golden(tokens, reference_tokens[:, 1:], 1e-5)


def test_the_offset_changes_resampled_positions_only(folder):
    frames = normals("bigger:frames", 1, 3, 24, 12)
    with_offset, without = last_block(loaded(folder), frames), last_block(loaded(folder, 0), frames)
    assert not torch.allclose(with_offset, without, atol=1e-3)
    square = normals("bigger:square", 1, 3, 20, 20)
    with_offset, without = (loaded(folder, offset, (20, 20)) for offset in (0.1, 0))
    assert torch.equal(last_block(with_offset, square), last_block(without, square))


def test_dinov2s_weights_give_its_tokens(tmp_path):
    """DINOv2's release with its offset of 0.1, against numbers of the original network."""
    shapes = json.loads((FOLDER / "opengait/dinov2_vits14.json").read_text())["state"]
    values = {name: seeded.state_value(name, shape).astype(np.float32) for name, shape in shapes.items()}
    state = {name: torch.from_numpy(value) for name, value in values.items()}
    path = tmp_path / "dinov2_vits14_pretrain.pth"
    torch.save(state, path)
    assert backbone_config(path) == Dinov2Config() == backbone_config(None)
    backbone = loaded(path, size=(252, 126))
    last, blocks = backbone.tokens(normals("input:dinov2_vits14:252x126", 1, 3, 252, 126))
    golden = np.load(FOLDER / "opengait/dinov2_vits14.npz")
    assert_golden(last[:, ::37, ::3], golden["252x126__last"])
    mid4 = torch.cat([blocks[number] for number in (2, 5, 8, 11)], dim=-1)
    assert_golden(F.layer_norm(mid4, mid4.shape[-1:], eps=1e-6)[:, ::37, ::12], golden["252x126__mid4"])


def test_the_names_of_transformers_5_load(folder, tmp_path):
    state = {version_5_name(name): value for name, value in weights().items()}
    assert "encoder.layer.2.attention.o_proj.bias" in state and not any("attention.attention" in name for name in state)
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS))
    save_file(state, tmp_path / "model.safetensors")
    frames = normals("bigger:frames", 1, 3, 24, 12)
    expected = last_block(loaded(folder), frames)
    assert torch.equal(last_block(loaded(tmp_path), frames), expected)
    whole = torch.nn.ModuleDict({"Backbone": build_backbone(TINY, (24, 12))})
    whole.load_state_dict({f"Backbone.{name}": value for name, value in state.items()})
    assert torch.equal(last_block(whole["Backbone"], frames), expected)


def test_the_shape_follows_from_a_checkpoint():
    base = Dinov2Config(hidden_size=768, num_attention_heads=12, num_hidden_layers=5)
    state = {name: torch.empty(shape, device="meta") for name, shape in hugging_face_shapes(base).items()}
    assert Dinov2Config.from_hugging_face(state) == base
    with pytest.raises(CheckpointError, match="12 channels, from which"):
        Dinov2Config.from_hugging_face(weights())


def test_all_sources_of_the_same_weights_agree(folder, tmp_path):
    first = loaded(folder)
    frames = normals("bigger:frames", 1, 3, 24, 12)
    expected = last_block(first, frames)
    other = tmp_path / "bin"
    other.mkdir()
    (other / "config.json").write_text(json.dumps(SETTINGS))
    torch.save(weights(), other / "pytorch_model.bin")
    assert torch.equal(last_block(loaded(other), frames), expected)
    # As part of a checkpoint, and with DINOv2's named names.
    whole = torch.nn.ModuleDict({"Backbone": build_backbone(TINY, (24, 12))})
    whole.load_state_dict({f"Backbone.{name}": value for name, value in weights().items()})
    assert torch.equal(last_block(whole["Backbone"], frames), expected)
    named = {name.removeprefix("transformer."): value for name, value in first.named_parameters()}
    assert {"blocks.2.attn.qkv.bias", "norm.weight", "mask_token"} <= named.keys()
    reloaded = build_backbone(TINY, (24, 12))
    reloaded.load_state_dict(named)
    assert torch.equal(last_block(reloaded, frames), expected)
    assert to_hugging_face(named, 3).keys() == weights().keys()


def test_entries_can_be_filled_in_place(folder):
    backbone = loaded(folder)
    with torch.no_grad():
        backbone.state_dict()["encoder.layer.1.attention.attention.key.weight"].fill_(7)
    assert (backbone.transformer.blocks[1].attn.qkv.weight[12:24] == 7).all()
    assert (backbone.transformer.blocks[1].attn.qkv.weight[:12] != 7).all()


def test_a_partial_state_reports_missing_entries(folder):
    backbone = loaded(folder)
    state = backbone.state_dict()
    del state["encoder.layer.0.attention.attention.key.weight"]
    result = backbone.load_state_dict(state, strict=False)
    assert result.missing_keys == ["transformer.blocks.0.attn.qkv.weight"]


def test_the_backbone_is_frozen(folder):
    backbone = loaded(folder).train()
    assert not backbone.training and not any(parameter.requires_grad for parameter in backbone.parameters())
    frames = normals("bigger:frames", 1, 3, 24, 12).requires_grad_()
    assert not any(tokens.requires_grad for tokens in backbone.tokens(frames)[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "vit"}, "its model_type must be dinov2"),
        ({"use_swiglu_ffn": True}, "use_swiglu_ffn True; .* is built for False"),
        ({"hidden_size": "wide"}, "hidden_size 'wide'"),
        ({"hidden_size": 16}, r"embeddings.cls_token has shape \(1, 1, 12\) where \(1, 1, 16\) is expected"),
        ({"num_hidden_layers": 4}, "encoder.layer.3.norm1.weight is missing"),
    ],
)
def test_folders_that_do_not_fit_are_named(folder, tmp_path, settings, message):
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS | settings))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=message):
        loaded(tmp_path)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no folder nowhere; put a Hugging Face folder"):
        backbone_config("nowhere")
    with pytest.raises(CheckpointError, match=r"there is no file .*dinov2_vits14_pretrain.pth; .*download it from"):
        backbone_config(tmp_path / "dinov2_vits14_pretrain.pth")
    with pytest.raises(CheckpointError, match=r"config.json, which cannot be read: No such file"):
        backbone_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not valid JSON"):
        backbone_config(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS))
    with pytest.raises(CheckpointError, match="holds neither model.safetensors nor pytorch_model.bin"):
        loaded(tmp_path)
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other.pth is not .*cls_token"):
        backbone_config(tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"image_size \[30, 15\] is not a multiple"):
        build_backbone(TINY, (30, 15))
