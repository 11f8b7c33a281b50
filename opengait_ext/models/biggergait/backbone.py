"""BiggerGait's frozen vision model: a DINOv2 transformer with the names of Hugging Face's `Dinov2Model`.

The network is timm's, whose parameters have the names of DINOv2's release. Saving and loading translate the names, so
checkpoints match those of upstream, which uses the `transformers` package.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from opengait.errors import CheckpointError, ConfigError
from opengait.shipped import shipped
from opengait_ext.models.shared.build import build_part
from opengait_ext.models.shared.vision_model import FrozenVisionModel, OriginalState
from opengait_ext.weights.read import load_exactly, read_weights

PURPOSE = "BiggerGait's vision model"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")

Row = tuple[str, str, int | None]


def _layer(theirs: str, ours: str, third: int | None = None) -> list[Row]:
    return [(f"{theirs}.{leaf}", f"{ours}.{leaf}", third) for leaf in ("weight", "bias")]


# (Hugging Face's name, DINOv2's name, the third of DINOv2's tensor or None for all of it), in Hugging Face's order.
OUTER: list[Row] = [
    ("embeddings.cls_token", "cls_token", None),
    ("embeddings.mask_token", "mask_token", None),
    ("embeddings.position_embeddings", "pos_embed", None),
    *_layer("embeddings.patch_embeddings.projection", "patch_embed.proj"),
]
BLOCK: list[Row] = [
    *_layer("norm1", "norm1"),
    *_layer("attention.attention.query", "attn.qkv", 0),
    *_layer("attention.attention.key", "attn.qkv", 1),
    *_layer("attention.attention.value", "attn.qkv", 2),
    *_layer("attention.output.dense", "attn.proj"),
    ("layer_scale1.lambda1", "ls1.gamma", None),
    *_layer("norm2", "norm2"),
    *_layer("mlp.fc1", "mlp.fc1"),
    *_layer("mlp.fc2", "mlp.fc2"),
    ("layer_scale2.lambda1", "ls2.gamma", None),
]
FINAL = _layer("layernorm", "norm")
# Names of the attention's layers in transformers 5, and those of version 4, which upstream's checkpoints have.
VERSION_5 = {
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
}


@dataclass(frozen=True)
class Dinov2Config:
    """Shape of a DINOv2 transformer, with the keys of Hugging Face's `config.json`; the defaults are ViT-S/14.

    Attributes:
        image_size: height and width in pixels that the position table was trained for, 518 for DINOv2.
    """

    hidden_size: int = 384
    num_hidden_layers: int = 12
    num_attention_heads: int = 6
    mlp_ratio: float = 4
    patch_size: int = 14
    image_size: int = 518
    num_channels: int = 3
    layer_norm_eps: float = 1e-6

    @classmethod
    def from_folder(cls, folder: Path) -> "Dinov2Config":
        """Read `config.json` of a Hugging Face folder.

        Raises:
            CheckpointError: the file is missing or damaged, or describes another kind of model.
        """
        path = folder / "config.json"
        try:
            settings = json.loads(path.read_text())
        except OSError as error:
            raise CheckpointError(f"{PURPOSE} needs {path}, which cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise CheckpointError(f"{path} is not valid JSON: {error}.") from error
        if not isinstance(settings, dict) or settings.get("model_type") != "dinov2":
            raise CheckpointError(f"{path} does not describe a DINOv2 transformer; its model_type must be dinov2.")
        expected = {"hidden_act": "gelu", "use_swiglu_ffn": False, "qkv_bias": True}
        for key, value in expected.items():
            if settings.get(key, value) != value:
                raise CheckpointError(f"{path} has {key} {settings[key]!r}; {PURPOSE} is built for {value!r}.")
        # For missing keys, Hugging Face assumes ViT-B/14 on 224 pixels.
        assumed = {"hidden_size": 768, "num_attention_heads": 12, "image_size": 224}
        known = {key: settings.get(key, assumed.get(key, default)) for key, default in vars(cls()).items()}
        for key, value in known.items():
            if not isinstance(value, int | float) or value <= 0:
                raise CheckpointError(f"{path} has {key} {value!r}; expected a positive number.")
        return cls(**known)

    @classmethod
    def from_release(cls, state: Mapping[str, Tensor], path: str | Path) -> "Dinov2Config":
        """Derive the shape from a weight file of DINOv2's release, whose attention heads have 64 channels.

        Raises:
            CheckpointError: the file is of another kind.
        """
        try:
            hidden, positions = state["cls_token"].shape[-1], state["pos_embed"].shape[1] - 1
            channels, patch = state["patch_embed.proj.weight"].shape[1:3]
            mlp = state["blocks.0.mlp.fc1.weight"].shape[0]
        except (KeyError, IndexError, ValueError) as error:
            raise CheckpointError(f"{path} is not a file of a DINOv2 transformer for {PURPOSE} ({error}).") from error
        side = round(positions**0.5)
        if side * side != positions:
            raise CheckpointError(
                f"{path} has positions of {positions} patches; {PURPOSE} needs those of a square grid."
            )
        blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
        return cls(
            hidden_size=hidden,
            num_hidden_layers=len(blocks),
            num_attention_heads=max(hidden // 64, 1),
            mlp_ratio=mlp / hidden,
            patch_size=patch,
            image_size=side * patch,
            num_channels=channels,
        )

    @classmethod
    def from_hugging_face(cls, state: Mapping[str, Tensor]) -> "Dinov2Config":
        """Derive the shape from the entries of a checkpoint.

        Raises:
            CheckpointError: the entries are of another model, or its attention heads may not have 64 channels.
        """
        depth = len({name.split(".")[2] for name in state if name.startswith("encoder.layer.")})
        config = cls.from_release(to_release(state, depth), "The checkpoint")
        if config.hidden_size % 64:
            raise CheckpointError(
                f"The checkpoint's vision model has {config.hidden_size} channels, from which the number of attention "
                f"heads cannot be derived; keep the file or folder that model_cfg.pretrained_lvm names."
            )
        return config


def name_table(depth: int) -> list[Row]:
    """Return the rows of the name table for a model of `depth` blocks."""
    blocks = [
        (f"encoder.layer.{number}.{theirs}", f"blocks.{number}.{ours}", third)
        for number in range(depth)
        for theirs, ours, third in BLOCK
    ]
    return [*OUTER, *blocks, *FINAL]


def to_version_4(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the attention's layers of a state dict that transformers 5 wrote; other entries keep their names."""

    def renamed(name: str) -> str:
        layer, _, leaf = name.rpartition(".")
        for new, old in VERSION_5.items():
            if layer.endswith(f".{new}"):
                return f"{layer.removesuffix(new)}{old}.{leaf}"
        return name

    return {renamed(name): value for name, value in state.items()}


def to_hugging_face(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Rename a state dict from DINOv2's names to Hugging Face's; other entries keep their names. Values are views."""
    renamed = {}
    table = name_table(depth)
    for theirs, ours, third in table:
        if ours in state:
            renamed[theirs] = state[ours] if third is None else state[ours].chunk(3)[third]
    known = {ours for _, ours, _ in table}
    return renamed | {name: value for name, value in state.items() if name not in known}


def to_release(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Reverse `to_hugging_face`; query, key and value keep their names unless all three are present."""
    renamed = to_version_4(state)
    thirds: dict[str, list[str]] = {}
    for theirs, ours, third in name_table(depth):
        if third is not None:
            thirds.setdefault(ours, []).append(theirs)
        elif theirs in renamed:
            renamed[ours] = renamed.pop(theirs)
    for ours, names in thirds.items():
        if all(name in renamed for name in names):
            renamed[ours] = torch.cat([renamed.pop(name) for name in names])
    return renamed


def build_backbone(
    config: Dinov2Config, image_size: tuple[int, int], position_offset: float = 0.1
) -> FrozenVisionModel:
    """Return a frozen DINOv2 of that shape, with all its blocks as `layers`.

    Its `state_dict()` has the names of Hugging Face's `Dinov2Model`, and `load_state_dict` takes those or DINOv2's own.

    Args:
        config: shape of the model.
        image_size: (height, width) of the frames in pixels.
        position_offset: see `resample_positions`.

    Raises:
        ConfigError: the offset is not a non-negative number.
    """
    if not isinstance(position_offset, int | float) or position_offset < 0:
        raise ConfigError(
            f"model_cfg.position_offset is {position_offset!r}; expected a non-negative number such as 0.1."
        )
    depth = config.num_hidden_layers
    return FrozenVisionModel(
        layers=range(depth),
        image_size=image_size,
        arguments={
            "patch_size": config.patch_size,
            "in_chans": config.num_channels,
            "embed_dim": config.hidden_size,
            "depth": depth,
            "num_heads": config.num_attention_heads,
            "mlp_ratio": config.mlp_ratio,
            "norm_layer": partial(nn.LayerNorm, eps=config.layer_norm_eps),
        },
        precision="autocast",
        original=OriginalState(
            config.image_size, position_offset, partial(to_hugging_face, depth=depth), partial(to_release, depth=depth)
        ),
    )


def frozen_backbone(model_cfg: Mapping[str, Any], image_size: tuple[int, int]) -> FrozenVisionModel:
    """Return the vision model that `model_cfg` describes, with all its blocks as `layers` and its weights, if any.

    Raises:
        ConfigError: a value is invalid.
        CheckpointError: the weights are missing, damaged or of another model.
    """
    weights, settings = model_cfg.get("pretrained_lvm"), model_cfg.get("vision_model")
    if settings is not None:
        blocks = range(model_cfg.get("total_layer_num", Dinov2Config.num_hidden_layers))
        other: FrozenVisionModel = build_part(
            FrozenVisionModel,
            "vision_model",
            settings,
            weights=weights,
            layers=blocks,
            image_size=image_size,
            original=OriginalState(),
        )
        return other
    backbone = build_backbone(backbone_config(weights), image_size, model_cfg.get("position_offset", 0.1))
    if weights is not None and not isinstance(weights, Dinov2Config | Mapping):
        load_backbone(backbone, weights)
    return backbone


def backbone_config(path: str | Path | Mapping[str, Any] | Dinov2Config | None) -> Dinov2Config:
    """Return the shape of the model at `path`, a Hugging Face folder or a file of DINOv2's release; ViT-S/14 for None.

    A shape is returned as it is, and a table of its values as a shape.

    Raises:
        ConfigError: a table has a key that is none of a shape.
        CheckpointError: the folder or file does not exist.
    """
    if path is None or isinstance(path, Dinov2Config):
        return path or Dinov2Config()
    if isinstance(path, Mapping):
        shape: Dinov2Config = build_part(Dinov2Config, "pretrained_lvm", path)
        return shape
    folder = _folder(path)
    if folder is not None:
        return Dinov2Config.from_folder(folder)
    return Dinov2Config.from_release(_release(path), path)


def load_backbone(backbone: FrozenVisionModel, path: str | Path) -> None:
    """Load `backbone` from a Hugging Face folder (`model.safetensors` or `pytorch_model.bin`) or DINOv2's own file.

    Raises:
        CheckpointError: the weights are missing, damaged or of another model.
    """
    folder = _folder(path)
    if folder is None:
        state = to_hugging_face(_release(path), len(backbone.layers))
        load_exactly(backbone, state, path, PURPOSE)
        return
    files = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
    if not files:
        raise CheckpointError(f"{PURPOSE} has no weights: {folder} holds neither {' nor '.join(WEIGHT_FILES)}.")
    load_exactly(backbone, to_version_4(read_weights(files[0], PURPOSE)), files[0], PURPOSE)


def _folder(path: str | Path) -> Path | None:
    """Return the folder that `path` names, relative to the working folder or the project, or None."""
    return shipped(path) if shipped(path).is_dir() else None


def _release(path: str | Path) -> dict[str, Tensor]:
    if not Path(path).suffix:
        raise CheckpointError(
            f"{PURPOSE} is missing: there is no folder {path}; put a Hugging Face folder of DINOv2 there (config.json "
            f"and model.safetensors), or name dinov2_vits14_pretrain.pth in model_cfg.pretrained_lvm."
        )
    return read_weights(path, PURPOSE)
