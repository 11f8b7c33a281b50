"""timm's vision transformers: building them, and loading weight files of several layouts."""

import sys
from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from opengait.errors import CheckpointError, ConfigError
from opengait.utils.text import first_line
from opengait_ext.data.channels import IMAGENET_MEAN, IMAGENET_STD
from opengait_ext.models.shared.positions import (
    DINOV2_OFFSET,
    GRID_KEY,
    Grid,
    Transformer,
    grid_of_table,
    parse_grid,
    resample_positions,
)
from opengait_ext.weights.read import load_exactly, read_metadata, read_weights, require_fit

STATISTICS = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}


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
    if not isinstance(model, Transformer):
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
            f"timm cannot fetch its weights of {name} ({first_line(error)}); name a file with "
            f"model_cfg.vision_model.weights instead."
        ) from error
    assert isinstance(fetched, Transformer)
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


def load_transformer_weights(model: Transformer, path: str, name: str, grid: Grid | None = None) -> None:
    """Load a weight file into `model`, resampling its position table to the model's grid where they differ.

    Args:
        grid: rows and columns of the file's position table, if known; see `grid_of_table`.

    Raises:
        CheckpointError: the file is missing, unreadable, or made for another model, or the grid of its position table
            is unknown.
    """
    purpose = f"the vision transformer {name}"
    state = read_weights(path, purpose)
    check_patches(state, tuple(model.patch_embed.patch_size), path, purpose)
    # DINOv2 without registers resamples in its own way; with registers, as timm does.
    dinov2 = isinstance(model, VisionTransformer) and "mask_token" in state and "register_tokens" not in state
    state, ready = timm_names(state, model, path, purpose)
    table = state.get("pos_embed")
    if table is not None and model.pos_embed is not None and not ready:
        # The other entries first, so that a file of another model is reported as such.
        require_fit(model, state | {"pos_embed": model.pos_embed}, path, purpose)
        stated = grid or parse_grid(read_metadata(path).get(GRID_KEY), f"{GRID_KEY} of {path}")
        table_grid = grid_of_table(table, model, path, stated)
        options = {"offset": DINOV2_OFFSET} if dinov2 else {"antialias": True}
        state["pos_embed"] = resample_positions(table, table_grid, tuple(model.patch_embed.grid_size), **options)
    load_exactly(model, state, path, purpose)


def timm_names(state: dict[str, Tensor], model: Transformer, path: str, purpose: str) -> tuple[dict[str, Tensor], bool]:
    """Return a state dict under timm's names, without classifier, and whether its position table is resampled already.

    timm has one reader per family of models. They would resample the table from a guessed grid, unless the model has no
    table. RADIO resamples in a way of its own, so its reader does that.

    Raises:
        CheckpointError: the file has a layout that its reader does not know.
    """
    radio = any(name.startswith("radio_model.") for name in state)
    if not isinstance(model, VisionTransformer):
        state.pop("mask_token", None)  # the reader would take the final norm for the classifier's
    try:
        read = sys.modules[type(model).__module__].checkpoint_filter_fn
        state = read(state, model if radio else _WithoutPositions(model))
    except (LookupError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} does not fit {purpose}: {type(error).__name__} on {error}.") from error
    return {key: value for key, value in state.items() if not key.startswith(("head.", "fc_norm."))}, radio


class _WithoutPositions:
    """A transformer that appears to have no position table."""

    pos_embed = None

    def __init__(self, model: Transformer) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


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
