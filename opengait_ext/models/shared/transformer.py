"""timm's vision transformers: building, loading weights, and resampling DINOv2's position table."""

import sys
from collections.abc import Mapping
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.data.channels import IMAGENET_MEAN, IMAGENET_STD
from opengait_ext.weights.read import load_exactly, read_weights

STATISTICS = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
# timm builds DINOv3 and other transformers with rotary positions as Eva.
Transformer = VisionTransformer | Eva


def build_transformer(
    name: str, image_size: tuple[int, int], arguments: dict[str, Any], fetch: bool = False
) -> Transformer:
    """Return a timm vision transformer for that input size, untrained, or with the weights that timm fetches for it.

    Raises:
        ConfigError: timm has no such model, it is not a plain vision transformer, or the size is not a whole number of
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
    if not isinstance(model, VisionTransformer | Eva):
        raise ConfigError(f"{name} is not a plain vision transformer of timm; choose a vit_* model.")
    patch = model.patch_embed.patch_size
    if image_size[0] % patch[0] or image_size[1] % patch[1]:
        raise ConfigError(f"image_size {list(image_size)} is not a multiple of {name}'s patch size, {list(patch)}.")
    if not fetch:
        return model
    try:
        fetched = timm.create_model(name, pretrained=True, num_classes=0, img_size=image_size, **arguments)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"timm cannot fetch its weights of {name} ({str(error).splitlines()[0]}); name a file with "
            f"model_cfg.vision_model.weights instead."
        ) from error
    assert isinstance(fetched, VisionTransformer | Eva)
    return fetched


def input_change(model: Transformer) -> tuple[Tensor, Tensor]:
    """Return the scale and shift, each (1, 3, 1, 1), from ImageNet's statistics to those of the pretrained model.

    CLIP, SigLIP and timm's own vision transformers were trained with other means and deviations than DINOv2.
    """
    settings = pretrained_settings(model)
    mean, std = (torch.tensor(settings.get(key) or default) for key, default in STATISTICS.items())
    scale = torch.tensor(IMAGENET_STD) / std
    shift = (torch.tensor(IMAGENET_MEAN) - mean) / std
    return scale.view(1, 3, 1, 1), shift.view(1, 3, 1, 1)


def pretrained_settings(model: Transformer) -> Mapping[str, Any]:
    """Return timm's settings of the pretrained model."""
    return model.pretrained_cfg  # type: ignore[return-value]


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
        state["pos_embed"] = resample_positions(state["pos_embed"], model, path)
    else:
        # timm has one reader per family of models. They assume a layout, so other files fail inside them.
        try:
            state = sys.modules[type(model).__module__].checkpoint_filter_fn(state, model)
        except (KeyError, RuntimeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} does not fit {purpose}: {type(error).__name__} on {error}.") from error
    state = {key: value for key, value in state.items() if not key.startswith(("head.", "fc_norm."))}
    load_exactly(model, state, path, purpose)


def check_patches(state: Mapping[str, Tensor], patch: tuple[int, int], path: str, purpose: str) -> None:
    """Check that weights of any layout are for patches of that size.

    timm's readers would silently resample another patch embedding, which changes the features.

    Raises:
        CheckpointError: the weights are for patches of another size.
    """
    for key, value in state.items():
        # In every layout, only the patch embedding has kernels on three channels.
        if value.dim() == 4 and value.shape[1] == 3 and tuple(value.shape[2:]) != patch:
            theirs, ours = (" x ".join(map(str, sizes)) for sizes in (value.shape[2:], patch))
            raise CheckpointError(
                f"{path} does not fit {purpose}: {key} is for patches of {theirs} pixels, not {ours}."
            )


def resample_positions(table: Tensor, model: Transformer, source: str, offset: float = 0.1) -> Tensor:
    """Resample DINOv2's position table (1, 1 + side*side, c) to the model's grid, bicubically and without antialiasing.

    timm's resampling antialiases, so the same weights would give other features. A table that fits is returned as is.

    Args:
        table: the class token's position, then those of the patches, row by row.
        model: the transformer that the table is for.
        source: name of the table in messages.
        offset: number added to the grid's sides before the scale factor is computed: 0.1 in DINOv2's code and in early
            releases of `transformers`, 0 in later ones.

    Raises:
        CheckpointError: the table is not square, or belongs to another width.
    """
    height, width = model.patch_embed.grid_size
    prefix, patches = table[:, :1], table[:, 1:]
    side = round(patches.shape[1] ** 0.5)
    if table.dim() != 3 or side * side != patches.shape[1] or table.shape[-1] != model.embed_dim:
        raise CheckpointError(
            f"{source} is of another model: its position table is {tuple(table.shape)}; expected a square "
            f"one of {model.embed_dim} channels."
        )
    if (side, side) == (height, width):
        return table
    maps = patches.float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if offset:
        scale = (height + offset) / side, (width + offset) / side
        resampled = F.interpolate(maps, scale_factor=scale, mode="bicubic", antialias=False)
    else:
        resampled = F.interpolate(maps, size=(height, width), mode="bicubic", antialias=False)
    return torch.cat([prefix, resampled.flatten(2).transpose(1, 2).to(prefix.dtype)], dim=1)
