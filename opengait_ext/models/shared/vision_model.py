"""The frozen large vision model of SASG (Section 3.2): patch features of its last and of intermediate layers.

The reference is DINOv2 ViT-S/14 (Oquab et al., 2024) as BigGait uses it. Any vision transformer of timm can
replace it by name (other rows of Table 7: DINOv3, CLIP, MAE, SigLIP).
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models.shared.full_precision import full_precision
from opengait_ext.models.shared.positions import DINOV2_OFFSET, Grid, parse_grid, resample_positions
from opengait_ext.models.shared.state_names import Translation, hide_child
from opengait_ext.models.shared.transformer import (
    build_transformer,
    input_change,
    load_transformer_weights,
    pretrained_settings,
)
from opengait_ext.weights.read import load_exactly, read_weights

# Value of `weights` for those that timm fetches; the tag in the model's name selects them.
FROM_TIMM = "timm"
Precision = Literal["float32", "bfloat16", "float16", "autocast"]
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


@dataclass(frozen=True)
class OriginalState:
    """Layout in which a frozen vision model keeps its state, to match the files of its original.

    Entries have no prefix `transformer.`. timm and DINOv2 share all names but two: the position table at its trained
    size, which timm resamples when it loads, and the mask token, which only pretraining uses. With this layout a DINOv2
    has both in its state, and resamples the table in each forward pass.

    Attributes:
        trained_size: height and width in pixels that the position table was trained for; None for timm's default.
        position_offset: see `resample_positions`.
        save, load: translations from DINOv2's names to those of the files, and back; None if they are the same.
    """

    trained_size: int | None = None
    position_offset: float = DINOV2_OFFSET
    save: Translation | None = None
    load: Translation | None = None


class FrozenVisionModel(nn.Module):
    """A timm vision transformer that is never trained: no gradients, always in evaluation mode.

    Args:
        name: timm's name of a plain vision transformer, with or without a tag.
        weights: weight file (timm's, DINOv2's original or another layout that timm reads), "timm" for the weights that
            timm fetches and caches, or None for random weights.
        layers: zero-based indices of the blocks whose tokens are concatenated. The paper's "2nd, 5th, 8th, and final"
            are DINOv2's own zero-based 2, 5, 8 and 11.
        image_size: (height, width) in pixels to which frames are resized bilinearly.
        arguments: further arguments of the timm model, such as `embed_dim` and `depth`.
        precision: "float32", "bfloat16" or "float16" regardless of the surrounding autocast; half precision applies to
            CUDA only, since a CPU is faster in float32. "autocast" follows the surrounding autocast, as the authors'
            release does: half in training, float32 in evaluation.
        original: layout of the state; None for timm's names under `transformer.` and a position table that is resampled
            once. With a layout, the file of a DINOv2 must fit exactly.
        frames_at_once: frames per pass of the transformer, which bounds the memory of its activations; None for all.
        pretrained_grid: rows and columns of the weight file's position table, if neither the file nor timm's settings
            of the model state them and they are not equal.

    Raises:
        ConfigError: timm cannot build the model, or a layer, the size or the precision is invalid.
        CheckpointError: the weights are missing or belong to another model.
    """

    input_scale: Tensor
    input_shift: Tensor
    position_grid: Tensor

    def __init__(
        self,
        name: str = "vit_small_patch14_dinov2",
        weights: str | None = None,
        layers: Sequence[int] = (2, 5, 8, 11),
        image_size: Sequence[int] = (448, 224),
        arguments: dict[str, Any] | None = None,
        precision: Precision = "float32",
        original: OriginalState | None = None,
        frames_at_once: int | None = None,
        pretrained_grid: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ConfigError(f"vision_model.precision is {precision!r}; expected one of {', '.join(PRECISIONS)}.")
        height, width = image_size
        self.layers = tuple(layers)
        self.image_size = height, width
        fetch = weights == FROM_TIMM and original is None
        self.transformer = build_transformer(name, self.image_size, arguments or {}, fetch=fetch)
        depth = len(self.transformer.blocks)
        if not self.layers or not all(0 <= layer < depth for layer in self.layers):
            raise ConfigError(
                f"vision_model.layers is {list(layers)}, but {name} has blocks 0 to {depth - 1} (zero-based)."
            )
        rows, columns = self.transformer.patch_embed.grid_size
        self.grid = rows, columns
        self.channels: int = self.transformer.embed_dim
        self.dtype = PRECISIONS[precision]
        self.frames_at_once = frames_at_once
        scale, shift = input_change(self.transformer)
        self.register_buffer("input_scale", scale, persistent=False)
        self.register_buffer("input_shift", shift, persistent=False)
        self.position_offset: float | None = None
        table_grid = parse_grid(pretrained_grid, "model_cfg.vision_model.pretrained_grid")
        if original is None:
            self.register_buffer("position_grid", torch.tensor(self.grid))
            self.register_load_state_dict_pre_hook(_check_grid)
        else:
            if "dinov2" in name and not self.transformer.no_embed_class:
                self.keep_table(original, table_grid)
            hide_child(self, "transformer", original.save, original.load)
        if weights is not None and self.position_offset is not None:
            purpose = f"the vision transformer {name}"
            load_exactly(self, read_weights(weights, purpose), weights, purpose)
        elif weights is not None and not fetch:
            load_transformer_weights(self.transformer, weights, name, table_grid)
        self.requires_grad_(False)
        self.eval()

    def keep_table(self, original: OriginalState, grid: Grid | None) -> None:
        """Keep DINOv2's position table at its trained size, and its mask token, beside timm's transformer."""
        pixels = original.trained_size or pretrained_settings(self.transformer)["input_size"][-1]
        side = pixels // self.transformer.patch_embed.patch_size[0]
        self.table_grid = rows, columns = grid or (side, side)
        resampled = self.transformer.get_parameter("pos_embed").data
        del self.transformer.pos_embed
        self.transformer.register_buffer("pos_embed", resampled, persistent=False)
        self.pos_embed = nn.Parameter(
            nn.init.trunc_normal_(torch.empty(1, 1 + rows * columns, self.channels), std=0.02)
        )
        self.mask_token = nn.Parameter(torch.zeros(1, self.channels))
        self.position_offset = original.position_offset

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, so that dropout and drop path are never active."""
        del mode
        return super().train(False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> VisionFeatures:
        """Return the features of ImageNet-normalised `frames`, float (f, 3, height, width) of any size."""
        step = self.frames_at_once
        if step is None or torch.compiler.is_compiling() or len(frames) <= step:
            return self.features(frames)
        first = self.features(frames[:step])
        last = first.last.new_empty(len(frames), *first.last.shape[1:])
        layers = first.layers.new_empty(len(frames), *first.layers.shape[1:])
        for start in range(0, len(frames), step):
            part = self.features(frames[start : start + step]) if start else first
            last[start : start + step] = part.last
            layers[start : start + step] = part.layers
        return VisionFeatures(last, layers, self.grid)

    def features(self, frames: Tensor) -> VisionFeatures:
        """Return the features of frames (f, 3, height, width) in a single pass."""
        last, blocks = self.tokens(frames)
        layers = torch.cat(blocks, dim=-1).float()
        layers = F.layer_norm(layers, layers.shape[-1:], eps=1e-6)
        return VisionFeatures(last=last.float(), layers=layers, grid=self.grid)

    @torch.no_grad()
    def tokens(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return patch tokens (f, h*w, channels) after the final norm, and the raw tokens of each of `layers`."""
        if tuple(frames.shape[-2:]) != self.image_size:
            frames = F.interpolate(frames, size=self.image_size, mode="bilinear", align_corners=False)
        frames = frames * self.input_scale + self.input_shift
        # An exported graph cannot write to a buffer; it holds the table of the last eager pass.
        if self.position_offset is not None and not torch.compiler.is_compiling():
            table = resample_positions(self.pos_embed, self.table_grid, self.grid, self.position_offset)
            self.transformer.get_buffer("pos_embed").copy_(table)
        with self.precision_context(frames.device):
            last, blocks = self.transformer.forward_intermediates(
                frames.float(), indices=list(self.layers), output_fmt="NLC"
            )
        assert isinstance(last, Tensor) and isinstance(blocks, list)  # timm annotates the results of all options
        return last[:, self.transformer.num_prefix_tokens :], blocks

    def precision_context(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return the autocast context in which the transformer runs on that device."""
        if self.dtype is None:
            return nullcontext()
        half = device.type == "cuda" and self.dtype is not torch.float32
        return torch.autocast(device.type, dtype=self.dtype) if half else full_precision(device)


def _check_grid(model: FrozenVisionModel, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Reject a state dict that was saved on another grid with as many patches; others are reported as another shape.

    Earlier state dicts do not state their grid, so it is taken as the model's.
    """
    table = f"{prefix}transformer.pos_embed"
    grid = tuple(map(int, state.setdefault(f"{prefix}position_grid", model.position_grid)))
    if table in state and grid != model.grid and math.prod(grid) == math.prod(model.grid):
        raise CheckpointError(
            f"{table} of the checkpoint is for a grid of {grid[0]} x {grid[1]} patches, and this model has "
            f"{model.grid[0]} x {model.grid[1]}; set model_cfg.vision_model.image_size to that of the checkpoint."
        )
