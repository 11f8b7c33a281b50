"""The frozen large vision model of SASG (Section 3.2): patch features of its last and of four intermediate layers.

The reference is DINOv2 ViT-S/14 (Oquab et al., 2024) as BigGait uses it. Any vision transformer of timm takes its
place by name (Table 7 with rows of one's own: DINOv3, CLIP, MAE, SigLIP).
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import timm
import torch
import torch.nn.functional as F
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.data.augment import IMAGENET_MEAN, IMAGENET_STD
from opengait_ext.weights.read import load_exactly, read_weights

STATISTICS = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
# timm builds DINOv3 and other transformers with rotary positions as Eva.
Transformer = VisionTransformer | Eva
# In place of a file: the weights that timm fetches for the name, whose tag says which.
FROM_TIMM = "timm"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "autocast": None}


@dataclass(frozen=True)
class VisionFeatures:
    """Patch features of a batch of f frames on a grid of h x w patches, row-major; float32.

    Attributes:
        last: f_{m,4}, tokens of the last block after the model's final norm, (f, h*w, channels).
        layers: f_{m,c}, raw tokens of the chosen blocks, concatenated and normalised together, without affine
            parameters, over their channels, (f, h*w, len(layers) * channels).
        grid: (h, w).
    """

    last: Tensor
    layers: Tensor
    grid: tuple[int, int]


class FrozenVisionModel(nn.Module):
    """A timm vision transformer that is never trained: no gradients, always in evaluation mode.

    Args:
        name: timm's name of a plain vision transformer, with or without a tag.
        weights: file with its weights (timm's, DINOv2's original or another layout that timm reads), "timm" for those
            that timm itself fetches and keeps, or None for random ones.
        layers: zero-based indices of the blocks whose tokens are concatenated. The paper's "2nd, 5th, 8th, and final"
            are DINOv2's own zero-based 2, 5, 8 and 11.
        image_size: (height, width) in pixels that frames are resized to, bilinearly.
        arguments: further arguments of the timm model, such as `embed_dim` and `depth`.
        precision: "float32", "bfloat16" or "float16", the model's own, whatever autocast surrounds it. The half
            precisions act on CUDA; a CPU computes in float32, which is faster there. "autocast" follows what surrounds
            it, as the authors' release: half in training, float32 in evaluation.

    Raises:
        ConfigError: the name, a layer, the size or the precision cannot be.
        CheckpointError: the weights are missing or belong to another model.
    """

    def __init__(
        self,
        name: str = "vit_small_patch14_dinov2",
        weights: str | None = None,
        layers: Sequence[int] = (2, 5, 8, 11),
        image_size: Sequence[int] = (448, 224),
        arguments: dict[str, Any] | None = None,
        precision: Literal["float32", "bfloat16", "float16", "autocast"] = "float32",
    ) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ConfigError(f"vision_model.precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}.")
        self.layers = tuple(layers)
        self.image_size = tuple(image_size)
        self.transformer = build_transformer(name, self.image_size, arguments or {}, fetch=weights == FROM_TIMM)
        depth = len(self.transformer.blocks)
        if not self.layers or not all(0 <= layer < depth for layer in self.layers):
            raise ConfigError(
                f"vision_model.layers is {list(layers)}, but {name} has blocks 0 to {depth - 1} (zero-based)."
            )
        if weights not in (None, FROM_TIMM):
            load_transformer_weights(self.transformer, weights, name)
        self.grid = tuple(self.transformer.patch_embed.grid_size)
        self.channels = self.transformer.embed_dim
        self.dtype = PRECISIONS[precision]
        scale, shift = input_change(self.transformer)
        self.register_buffer("input_scale", scale, persistent=False)
        self.register_buffer("input_shift", shift, persistent=False)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "FrozenVisionModel":
        """Stays in evaluation mode whatever is asked, so dropout and drop path never act."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> VisionFeatures:
        """Features of `frames`, float (f, 3, height, width), ImageNet-normalised, any size."""
        if tuple(frames.shape[-2:]) != self.image_size:
            frames = F.interpolate(frames, size=self.image_size, mode="bilinear", align_corners=False)
        frames = frames * self.input_scale + self.input_shift
        with self.arithmetic(frames.device):
            last, blocks = self.transformer.forward_intermediates(
                frames.float(), indices=list(self.layers), output_fmt="NLC"
            )
        last = last[:, self.transformer.num_prefix_tokens :].float()
        layers = torch.cat(blocks, dim=-1).float()
        layers = F.layer_norm(layers, layers.shape[-1:], eps=1e-6)
        return VisionFeatures(last=last, layers=layers, grid=self.grid)

    def arithmetic(self, device: torch.device) -> AbstractContextManager:
        """The context that the transformer runs in on that device."""
        if self.dtype is None:
            return nullcontext()
        half = device.type == "cuda" and self.dtype is not torch.float32
        return torch.autocast(device.type, dtype=self.dtype if half else None, enabled=half)


def build_transformer(
    name: str, image_size: tuple[int, int], arguments: dict[str, Any], fetch: bool = False
) -> Transformer:
    """A timm vision transformer for that input size, untrained, or with the weights that timm fetches for it.

    Raises:
        ConfigError: timm has no such model, it is no plain vision transformer, or the size is not a whole number of
            patches.
        CheckpointError: timm cannot fetch the weights.
    """
    if not timm.is_model(name):
        raise ConfigError(f"timm {timm.__version__} has no model {name!r}; `timm.list_models('vit*')` lists them.")
    try:
        model = timm.create_model(name, pretrained=False, num_classes=0, img_size=image_size, **arguments)
    except TypeError as error:
        raise ConfigError(f"vision_model {name} does not take these arguments: {error}.") from error
    except RuntimeError as error:
        raise ConfigError(f"timm cannot build the vision_model {name}: {error}.") from error
    if not isinstance(model, Transformer):
        raise ConfigError(f"{name} is no plain vision transformer of timm; choose a vit_* model.")
    patch = model.patch_embed.patch_size
    if image_size[0] % patch[0] or image_size[1] % patch[1]:
        raise ConfigError(f"vision_model.image_size {list(image_size)} is not a multiple of {name}'s patch, {patch}.")
    if not fetch:
        return model
    try:
        return timm.create_model(name, pretrained=True, num_classes=0, img_size=image_size, **arguments)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"timm cannot fetch its weights of {name} ({str(error).splitlines()[0]}); name a file with "
            f"model_cfg.vision_model.weights instead."
        ) from error


def input_change(model: Transformer) -> tuple[Tensor, Tensor]:
    """Scale and shift, each (1, 3, 1, 1), from ImageNet's statistics to those that timm notes for the model.

    CLIP, SigLIP and timm's own vision transformers were trained with other means and deviations than DINOv2.
    """
    mean, std = (torch.tensor(model.pretrained_cfg.get(key) or default) for key, default in STATISTICS.items())
    scale = torch.tensor(IMAGENET_STD) / std
    shift = (torch.tensor(IMAGENET_MEAN) - mean) / std
    return scale.view(1, 3, 1, 1), shift.view(1, 3, 1, 1)


def load_transformer_weights(model: Transformer, path: str, name: str) -> None:
    """Load a weight file into `model`, resampling the position table to the model's grid where they differ.

    Raises:
        CheckpointError: the file is missing, unreadable, or made for another model.
    """
    purpose = f"the vision transformer {name}"
    state = read_weights(path, purpose)
    check_patches(state, tuple(model.patch_embed.patch_size), path, purpose)
    if "mask_token" in state and "pos_embed" in state:
        state.pop("mask_token")
        state["pos_embed"] = resample_dinov2_positions(state["pos_embed"], model, path)
    else:
        # timm's reader indexes into what it takes for its own layouts, so a foreign table fails inside it.
        try:
            # Every family of timm has a reader of its own.
            state = sys.modules[type(model).__module__].checkpoint_filter_fn(state, model)
        except (KeyError, RuntimeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} does not fit {purpose}: {type(error).__name__} on {error}.") from error
    state = {key: value for key, value in state.items() if not key.startswith(("head.", "fc_norm."))}
    load_exactly(model, state, path, purpose)


def check_patches(state: Mapping[str, Tensor], patch: tuple[int, int], path: str, purpose: str) -> None:
    """Whether weights in any layout are for patches of that size.

    timm's readers would resample the embedding of other patches without a word, and the features would be others.

    Raises:
        CheckpointError: they are not.
    """
    for key, value in state.items():
        # In every layout the only kernels on three colours are those of the patch embedding.
        if value.dim() == 4 and value.shape[1] == 3 and tuple(value.shape[2:]) != patch:
            theirs, ours = (" x ".join(map(str, sizes)) for sizes in (value.shape[2:], patch))
            raise CheckpointError(
                f"{path} does not fit {purpose}: {key} is for patches of {theirs} pixels, not {ours}."
            )


def resample_dinov2_positions(table: Tensor, model: Transformer, path: str) -> Tensor:
    """DINOv2's position table (1, 1 + side*side, c) on the model's grid, as the original code does it.

    The original enlarges the target by 0.1 before it computes the scale factor and interpolates without antialiasing;
    timm's resampling differs, so the same weights would give other features. A table that fits is left alone.

    Raises:
        CheckpointError: the table is not square, or belongs to another width.
    """
    height, width = model.patch_embed.grid_size
    prefix = table[:, :1]
    patches = table[:, 1:]
    side = round(patches.shape[1] ** 0.5)
    if table.dim() != 3 or side * side != patches.shape[1] or table.shape[-1] != model.embed_dim:
        raise CheckpointError(
            f"{path} is of another model: its position table is {tuple(table.shape)}, where a square one "
            f"of {model.embed_dim} channels is expected."
        )
    if (side, side) == (height, width):
        return table
    resampled = F.interpolate(
        patches.float().reshape(1, side, side, -1).permute(0, 3, 1, 2),
        scale_factor=((height + 0.1) / side, (width + 0.1) / side),
        mode="bicubic",
        antialias=False,
    )
    return torch.cat([prefix, resampled.flatten(2).transpose(1, 2).to(prefix.dtype)], dim=1)
