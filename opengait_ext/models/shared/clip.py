"""CLIP (Radford et al., 2021): its two towers, built by open_clip, which the extra `clip` installs.

open_clip's classes have the names of OpenAI's files. They are used block by block, since methods add tokens on the way.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models.shared.positions import Grid, resample_positions
from opengait_ext.weights.read import load_exactly, read_weights

INSTALL = 'pip install "opengait-dinogrl[clip]"'
# The one with OpenAI's activation, which open_clip's other names replace by the exact GELU.
OPENAI_BASE = "ViT-B-16-quickgelu"
# Numbers that OpenAI's files hold beside the weights.
NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size")
POSITIONS = "visual.positional_embedding"


def import_open_clip() -> Any:
    """Return the package open_clip.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import open_clip
    except ImportError as error:
        raise ConfigError(f"This model takes CLIP from open_clip: {INSTALL}.") from error
    return open_clip


def build_clip(
    name: str = OPENAI_BASE,
    weights: str | None = None,
    image_size: Sequence[int] = (288, 144),
    arguments: dict[str, Any] | None = None,
) -> Any:
    """Return an open_clip `CLIP` for frames of a size; its image tower is `visual`, and it is the text tower itself.

    Args:
        name: open_clip's name of the model.
        weights: weight file with OpenAI's names, or None for random weights. The position table, which must be that of
            a square grid or of the model's, is resampled bilinearly.
        image_size: height and width in pixels.
        arguments: changes of open_clip's settings of the model: `embed_dim`, and tables `vision_cfg` and `text_cfg`.

    Raises:
        ConfigError: open_clip is not installed, is too old or has no such model, or the size is not a whole number of
            patches.
        CheckpointError: the weights are missing or belong to another model.
    """
    library = import_open_clip()
    settings = copy.deepcopy(library.get_model_config(name))
    if settings is None:
        raise ConfigError(f"open_clip has no model {name!r}; `open_clip.list_models()` lists them.")
    for key, value in (arguments or {}).items():
        settings[key] = {**settings.get(key, {}), **value} if isinstance(value, Mapping) else value
    vision = settings["vision_cfg"] | {"image_size": tuple(image_size)}
    settings["vision_cfg"] = vision
    if not isinstance(vision.get("layers"), int) or vision.get("timm_model_name"):
        raise ConfigError(f"The image tower of {name} is not a plain vision transformer; choose a ViT-* model.")
    try:
        model = library.CLIP(**settings)
    except (TypeError, ValueError, AssertionError, AttributeError) as error:
        raise ConfigError(f"open_clip cannot build {name} with {arguments or {}}: {error}.") from error
    # Before, blocks took the tokens first and the batch second, which has the same shapes.
    if not model.visual.transformer.resblocks[0].attn.batch_first:
        raise ConfigError(f"open_clip {library.__version__} is too old: {INSTALL}.")
    patch = model.visual.patch_size
    if any(side % size for side, size in zip(image_size, patch, strict=True)):
        raise ConfigError(
            f"model_cfg.clip.image_size {list(image_size)} is not a multiple of {name}'s patch size, {list(patch)}."
        )
    if weights is not None:
        load_clip(model, weights, name)
    return model


def load_clip(model: Any, path: str, name: str) -> None:
    """Load a weight file with OpenAI's names, resampling the position table of the image tower to the model's grid.

    Raises:
        CheckpointError: the file is missing or unreadable, or of another model.
    """
    purpose = f"CLIP {name}"
    state = {key: value for key, value in read_weights(path, purpose).items() if key not in NO_WEIGHTS}
    table = state.get(POSITIONS)
    if table is not None and table.dim() == 2:
        grid = tuple(model.visual.grid_size)
        state[POSITIONS] = resample_table(table, grid, f"{path} does not fit {purpose}")
    load_exactly(model, state, path, purpose)


def resample_table(table: Tensor, grid: Grid, subject: str) -> Tensor:
    """Return a position table (1 + patches, channels) for another grid.

    Raises:
        CheckpointError: the number of patches is neither a square nor that of the grid; the message starts with the
            subject.
    """
    patches = len(table) - 1
    side = math.isqrt(max(patches, 0))
    if side * side != patches:
        if patches != grid[0] * grid[1]:
            raise CheckpointError(
                f"{subject}: {POSITIONS} has {patches} patches; expected a square, or {grid[0]} x {grid[1]}."
            )
        return table
    return resample_positions(table[None], (side, side), grid, mode="bilinear")[0]


def image_tokens(tower: Any, images: Tensor) -> Tensor:
    """Return the tokens (k, 1 + patches, channels) of images (k, 3, height, width) before the first block.

    The first is the class token.

    Raises:
        ConfigError: the images do not have the size that the tower was built for.
    """
    if tuple(images.shape[-2:]) != tuple(tower.image_size):
        height, width = tower.image_size
        raise ConfigError(
            f"The image tower takes frames of {height} x {width} pixels, got {images.shape[-2]} x {images.shape[-1]}; "
            f"set model_cfg.clip.image_size and data_cfg.frame_size alike."
        )
    patches = tower.conv1(images).flatten(2).transpose(1, 2)
    first = tower.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
    tokens: Tensor = tower.ln_pre(torch.cat([first, patches], dim=1) + tower.positional_embedding.to(patches.dtype))
    return tokens
