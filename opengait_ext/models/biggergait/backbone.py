"""BiggerGait's frozen vision model: a DINOv2 transformer under the names that Hugging Face's `Dinov2Model` gives it.

The network is timm's, whose parameters are called as in DINOv2's own release. State dicts are translated on the way out
and in, so that checkpoints read and written here are those of upstream, which uses the `transformers` package.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from opengait.errors import CheckpointError, ConfigError
from opengait.shipped import shipped
from opengait_ext.weights.read import load_exactly, read_weights

PURPOSE = "BiggerGait's vision model"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")

Row = tuple[str, str, int | None]


def _layer(theirs: str, ours: str, third: int | None = None) -> list[Row]:
    return [(f"{theirs}.{leaf}", f"{ours}.{leaf}", third) for leaf in ("weight", "bias")]


# (Hugging Face's name, DINOv2's name, which third of DINOv2's tensor or None for all of it), in Hugging Face's order.
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


@dataclass(frozen=True)
class Dinov2Config:
    """The shape of a DINOv2 transformer, under the names of Hugging Face's `config.json`; the defaults are ViT-S/14.

    Attributes:
        image_size: height and width in pixels whose patches the position table has, 518 for DINOv2.
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
            CheckpointError: it is missing or damaged, or describes a model that is built otherwise.
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
        # What Hugging Face assumes where a file says nothing is ViT-B/14 on 224 pixels.
        assumed = {"hidden_size": 768, "num_attention_heads": 12, "image_size": 224}
        known = {key: settings.get(key, assumed.get(key, default)) for key, default in vars(cls()).items()}
        for key, value in known.items():
            if not isinstance(value, int | float) or value <= 0:
                raise CheckpointError(f"{path} has {key} {value!r}; wanted is a positive number.")
        return cls(**known)

    @classmethod
    def from_release(cls, state: Mapping[str, Tensor], path: str | Path) -> "Dinov2Config":
        """The shape of the model that a weight file of DINOv2's own release belongs to; its heads have 64 channels.

        Raises:
            CheckpointError: it is not such a file.
        """
        try:
            hidden, positions = state["cls_token"].shape[-1], state["pos_embed"].shape[1] - 1
            channels, patch = state["patch_embed.proj.weight"].shape[1:3]
            mlp = state["blocks.0.mlp.fc1.weight"].shape[0]
        except (KeyError, IndexError, ValueError) as error:
            raise CheckpointError(f"{path} is no file of a DINOv2 transformer for {PURPOSE} ({error}).") from error
        blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
        return cls(
            hidden_size=hidden,
            num_hidden_layers=len(blocks),
            num_attention_heads=max(hidden // 64, 1),
            mlp_ratio=mlp / hidden,
            patch_size=patch,
            image_size=round(positions**0.5) * patch,
            num_channels=channels,
        )


def name_table(depth: int) -> list[Row]:
    """The rows of a model of `depth` blocks."""
    blocks = [
        (f"encoder.layer.{number}.{theirs}", f"blocks.{number}.{ours}", third)
        for number in range(depth)
        for theirs, ours, third in BLOCK
    ]
    return [*OUTER, *blocks, *FINAL]


def to_hugging_face(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """A state dict of DINOv2's names under Hugging Face's; entries of neither keep their names. Values are views."""
    renamed = {}
    table = name_table(depth)
    for theirs, ours, third in table:
        if ours in state:
            renamed[theirs] = state[ours] if third is None else state[ours].chunk(3)[third]
    own = {ours for _, ours, _ in table}
    return renamed | {name: value for name, value in state.items() if name not in own}


def to_release(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """The reverse of `to_hugging_face`; projections that are not there all three keep their names."""
    renamed = dict(state)
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


class Dinov2Backbone(VisionTransformer):
    """A frozen DINOv2 transformer that hands out the tokens of all its blocks.

    Its `state_dict()` has the names of Hugging Face's `Dinov2Model`, and `load_state_dict` takes those or DINOv2's own.
    The position table keeps its size and is resampled to the grid of the frames in every forward.

    Args:
        config: the model's shape.
        position_offset: what is added to the grid before the scale of the bicubic resampling is computed. 0.1 is
            DINOv2's own rule, which its weights were made with and `transformers` followed at first; 0 is that of
            later releases of `transformers`, which resample to the grid's size.

    Raises:
        ConfigError: the offset is no such number.
    """

    def __init__(self, config: Dinov2Config, position_offset: float = 0.1) -> None:
        super().__init__(
            img_size=config.image_size,
            patch_size=config.patch_size,
            in_chans=config.num_channels,
            num_classes=0,
            embed_dim=config.hidden_size,
            depth=config.num_hidden_layers,
            num_heads=config.num_attention_heads,
            mlp_ratio=config.mlp_ratio,
            init_values=1.0,
            norm_layer=partial(nn.LayerNorm, eps=config.layer_norm_eps),
        )
        if not isinstance(position_offset, int | float) or position_offset < 0:
            raise ConfigError(f"model_cfg.position_offset is {position_offset!r}; wanted is 0.1, 0 or a like number.")
        self.config = config
        self.position_offset = position_offset
        self.patch_embed.strict_img_size = False
        # Of the masked pretraining alone; held because both kinds of files have it.
        self.mask_token = nn.Parameter(torch.zeros(1, config.hidden_size))
        self.register_state_dict_post_hook(_rename_saved)
        self.register_load_state_dict_pre_hook(_rename_loaded)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Dinov2Backbone":
        """Stays in evaluation mode whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> list[Tensor]:
        """Raw outputs of every block, before the final norm: depth times (f, 1 + h*w, channels).

        Args:
            frames: (f, 3, height, width), ImageNet-normalised; whole patches in both directions.
        """
        side = self.config.patch_size
        grid = frames.shape[-2] // side, frames.shape[-1] // side
        tokens = self.patch_embed(frames)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], dim=1)
        tokens = tokens + self.positions(grid).to(tokens.dtype)
        outputs = []
        for block in self.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        return outputs

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """The position table (1, 1 + h*w, channels) for a grid of (h, w) patches."""
        if tuple(self.patch_embed.grid_size) == tuple(grid):
            return self.pos_embed
        rows, columns = self.patch_embed.grid_size
        table = self.pos_embed[:, 1:].float().reshape(1, rows, columns, -1).permute(0, 3, 1, 2)
        offset = self.position_offset
        target: dict[str, Any] = {"size": grid}
        if offset:
            target = {"scale_factor": ((grid[0] + offset) / rows, (grid[1] + offset) / columns)}
        table = F.interpolate(table, mode="bicubic", align_corners=False, **target)
        return torch.cat([self.pos_embed[:, :1].float(), table.flatten(2).transpose(1, 2)], dim=1)


def _rename_saved(module: Dinov2Backbone, state: dict[str, Tensor], prefix: str, _metadata: Any) -> None:
    own = {name.removeprefix(prefix): state.pop(name) for name in list(state) if name.startswith(prefix)}
    renamed = to_hugging_face(own, module.config.num_hidden_layers)
    state.update({prefix + name: value for name, value in renamed.items()})


def _rename_loaded(module: Dinov2Backbone, state: dict[str, Tensor], prefix: str, *_unused: Any) -> None:
    own = {name.removeprefix(prefix): state.pop(name) for name in list(state) if name.startswith(prefix)}
    renamed = to_release(own, module.config.num_hidden_layers)
    state.update({prefix + name: value for name, value in renamed.items()})


def backbone_config(path: str | Path | None) -> Dinov2Config:
    """The shape of the model at `path`, a Hugging Face folder or a file of DINOv2's release; ViT-S/14 for None.

    Raises:
        CheckpointError: there is nothing of that kind.
    """
    if path is None:
        return Dinov2Config()
    folder = _folder(path)
    if folder is not None:
        return Dinov2Config.from_folder(folder)
    return Dinov2Config.from_release(_release(path), path)


def load_backbone(backbone: Dinov2Backbone, path: str | Path) -> None:
    """Fill `backbone` from a Hugging Face folder (`model.safetensors` or `pytorch_model.bin`) or DINOv2's own file.

    Raises:
        CheckpointError: the weights are missing, damaged or of another model.
    """
    folder = _folder(path)
    if folder is None:
        state = to_hugging_face(_release(path), backbone.config.num_hidden_layers)
        load_exactly(backbone, state, path, PURPOSE)
        return
    files = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
    if not files:
        raise CheckpointError(f"{PURPOSE} has no weights: {folder} holds neither {' nor '.join(WEIGHT_FILES)}.")
    load_exactly(backbone, read_weights(files[0], PURPOSE), files[0], PURPOSE)


def check_grid(config: Dinov2Config, image_size: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of patches in frames of `image_size` pixels.

    Raises:
        ConfigError: they are no whole numbers.
    """
    if any(pixels % config.patch_size or pixels <= 0 for pixels in image_size):
        raise ConfigError(
            f"model_cfg.image_size asks for frames of {image_size[0]}x{image_size[1]} pixels; both must be whole "
            f"patches of {config.patch_size}."
        )
    return image_size[0] // config.patch_size, image_size[1] // config.patch_size


def _folder(path: str | Path) -> Path | None:
    """The folder that `path` names, relative to the working folder or the project; None where there is none."""
    return shipped(path) if shipped(path).is_dir() else None


def _release(path: str | Path) -> dict[str, Tensor]:
    if not Path(path).suffix:
        raise CheckpointError(
            f"{PURPOSE} is missing: there is no folder {path}; put a Hugging Face folder of DINOv2 there (config.json "
            f"and model.safetensors), or name dinov2_vits14_pretrain.pth in model_cfg.pretrained_lvm."
        )
    return read_weights(path, PURPOSE)
