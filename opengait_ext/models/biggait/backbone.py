"""BigGait's frozen vision model: `FrozenVisionModel` under the names of DINOv2's original, for its checkpoints."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from opengait_ext.models.shared.vision_model import (
    FrozenVisionModel,
    VisionFeatures,
    load_transformer_weights,
    resample_dinov2_positions,
)
from opengait_ext.weights.read import load_exactly, read_weights

# Each frame takes 12 MB or so in between, three times what is handed out.
FRAMES_AT_ONCE = 256


class NamedVisionModel(FrozenVisionModel):
    """A frozen vision transformer whose state has the names of its original.

    timm and DINOv2 name everything alike but two entries of the original: the position table in the size that it was
    trained with (37 x 37 for 518 pixels), of which timm keeps a resampled one, and the mask token, which only its
    pretraining uses. Both are kept here and the table is resampled for each forward pass, so that checkpoints go to
    OpenGait and come from there unchanged.

    A transformer of another kind keeps timm's names.

    Args:
        name, weights, layers, image_size, arguments, precision: see `FrozenVisionModel`; weights of a DINOv2 are
            `dinov2_vits14_pretrain.pth` or a file like it, which must fit exactly.

    Raises:
        ConfigError, CheckpointError: as `FrozenVisionModel`.
    """

    def __init__(
        self,
        name: str = "vit_small_patch14_dinov2",
        weights: str | None = None,
        layers: Sequence[int] = (2, 5, 8, 11),
        image_size: Sequence[int] = (448, 224),
        arguments: dict[str, Any] | None = None,
        precision: str = "float32",
    ) -> None:
        super().__init__(name, None, layers, image_size, arguments, precision)
        self.has_table = "dinov2" in name and not self.transformer.no_embed_class
        if self.has_table:
            side = self.transformer.pretrained_cfg["input_size"][-1] // self.transformer.patch_embed.patch_size[0]
            resampled = self.transformer.pos_embed.data
            del self.transformer.pos_embed
            self.transformer.register_buffer("pos_embed", resampled, persistent=False)
            table = nn.init.trunc_normal_(torch.empty(1, 1 + side * side, self.channels), std=0.02)
            self.pos_embed = nn.Parameter(table, requires_grad=False)
            self.mask_token = nn.Parameter(torch.zeros(1, self.channels), requires_grad=False)
        name_as_outside(self, "transformer")
        if weights is not None and self.has_table:
            purpose = f"the vision transformer {name}"
            load_exactly(self, read_weights(weights, purpose), weights, purpose)
        elif weights is not None:
            load_transformer_weights(self.transformer, weights, name)

    def forward(self, frames: Tensor) -> VisionFeatures:
        """See `FrozenVisionModel.forward`; many frames are taken some at a time, which bounds the memory between."""
        if self.has_table:
            table = resample_dinov2_positions(self.pos_embed, self.transformer, "pos_embed")
            self.transformer.pos_embed.copy_(table)
        if len(frames) <= FRAMES_AT_ONCE:
            return super().forward(frames)
        last = layers = None
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            part = super().forward(frames[start : start + FRAMES_AT_ONCE])
            if last is None or layers is None:
                last = part.last.new_empty(len(frames), *part.last.shape[1:])
                layers = part.layers.new_empty(len(frames), *part.layers.shape[1:])
            last[start : start + FRAMES_AT_ONCE] = part.last
            layers[start : start + FRAMES_AT_ONCE] = part.layers
        return VisionFeatures(last, layers, self.grid)


def name_as_outside(module: nn.Module, child: str) -> None:
    """Save and load the entries of `module.<child>` as if they were the module's own, without `<child>.` in front.

    The module's own entries keep precedence. Names of parameters outside the state dict do not change.
    """
    module.register_state_dict_post_hook(partial(_leave_out, child))
    module.register_load_state_dict_pre_hook(partial(_put_back, child))


def _leave_out(child: str, module: nn.Module, state: OrderedDict, prefix: str, metadata: dict) -> None:
    del module, metadata
    inner = f"{prefix}{child}."
    # Everything is taken out and put back, so that the order stays.
    for key in [key for key in state if key.startswith(prefix)]:
        state[prefix + key.removeprefix(inner) if key.startswith(inner) else key] = state.pop(key)


def _put_back(child: str, module: nn.Module, state: dict[str, Tensor], prefix: str, *others: Any) -> None:
    del others
    inside = getattr(module, child)
    names = {*inside._modules, *inside._parameters, *inside._buffers} - {*module._parameters, *module._buffers}
    for key in [key for key in state if key.startswith(prefix)]:
        rest = key.removeprefix(prefix)
        if rest.partition(".")[0] in names:
            state[f"{prefix}{child}.{rest}"] = state.pop(key)
