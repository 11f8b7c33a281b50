"""Position tables of vision transformers: the grid that a table was trained for, and resampling to another one."""

import logging
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from opengait.errors import CheckpointError, ConfigError

log = logging.getLogger("opengait")

# timm builds DINOv3 and other transformers with rotary positions as Eva.
Transformer = VisionTransformer | Eva
Grid = tuple[int, int]

# Key of the grid in the metadata of a safetensors file, such as "24x12".
GRID_KEY = "position_grid"
# Added to the grid's sides before the scale factor is computed, in the code of DINOv2 without registers.
DINOV2_OFFSET = 0.1


def resample_positions(
    table: Tensor,
    grid: Grid,
    new_grid: Grid,
    offset: float = 0.0,
    antialias: bool = False,
    mode: Literal["bicubic", "bilinear"] = "bicubic",
) -> Tensor:
    """Resample a position table to another grid; a table of the same grid is returned as is.

    Args:
        table: (1, k + rows * columns, channels): the positions of k class and register tokens, then those of the
            patches, row by row.
        grid: (rows, columns) of the table.
        new_grid: (rows, columns) of the result.
        offset: number added to the new sides before the scale factor is computed: 0.1 in DINOv2's code and in early
            releases of `transformers`, 0 in later ones and in timm.
        antialias: whether to antialias, as timm does and DINOv2 with registers, but not DINOv2 without.
        mode: the interpolation.
    """
    if grid == new_grid:
        return table
    rows, columns = grid
    prefix, patches = table.split([table.shape[1] - rows * columns, rows * columns], dim=1)
    maps = patches.float().reshape(1, rows, columns, -1).permute(0, 3, 1, 2)
    if offset:
        scale = (new_grid[0] + offset) / rows, (new_grid[1] + offset) / columns
        resampled = F.interpolate(maps, scale_factor=scale, mode=mode, antialias=antialias)
    else:
        resampled = F.interpolate(maps, size=new_grid, mode=mode, antialias=antialias)
    return torch.cat([prefix, resampled.flatten(2).transpose(1, 2).to(table.dtype)], dim=1)


def grid_of_table(table: Tensor, model: Transformer, source: str, stated: Grid | None = None) -> Grid:
    """Return (rows, columns) of the position table of a weight file for `model`.

    It is `stated` by the file or the configuration, or that of timm's pretrained model, or a square. Otherwise a table
    with as many patches as `model` is taken as one of its grid, with a warning, provided that the grid is not wider
    than high: upright people have high frames, and only a wide grid would read such a table with the wrong row length.

    Args:
        table: (1, k + rows * columns, channels), with the model's number of class and register tokens k.
        source: name of the file in messages.

    Raises:
        CheckpointError: the grid is unknown, or the stated one has another number of patches.
    """
    tokens = 0 if model.no_embed_class else model.num_prefix_tokens
    shape, patches = tuple(table.shape), table.shape[1] - tokens if table.dim() == 3 else 0
    subject = f"{source} has a position table of {shape}, for {patches} patches and {tokens} further tokens"
    if patches <= 0 or shape[::2] != (1, model.embed_dim):
        raise CheckpointError(f"{subject}; expected (1, {tokens} + rows * columns, {model.embed_dim}).")
    if stated is not None:
        if stated[0] * stated[1] != patches:
            raise CheckpointError(f"{subject}; the stated grid of {_by(stated)} has {stated[0] * stated[1]}.")
        return stated
    height, width = model.pretrained_cfg["input_size"][-2:]  # type: ignore[index]
    patch, side = model.patch_embed.patch_size, round(patches**0.5)
    for rows, columns in ((height // patch[0], width // patch[1]), (side, side)):
        if rows * columns == patches:
            return rows, columns
    rows, columns = model.patch_embed.grid_size
    if rows * columns == patches and rows >= columns:
        log.warning(
            "%s; its grid is not stated and taken as %s (pretrained_grid states it).", subject, _by((rows, columns))
        )
        return rows, columns
    raise CheckpointError(
        f"{subject}, and does not state the grid; give its rows and columns in model_cfg.vision_model.pretrained_grid, "
        f"such as [24, 12]. This model has a grid of {_by((rows, columns))}."
    )


def parse_grid(value: Sequence[int] | str | None, key: str) -> Grid | None:
    """Return a grid that a configuration gives as [rows, columns], or a file as "24x12"; None if there is none.

    Raises:
        ConfigError: the value is something else.
    """
    if value is None:
        return None
    parts = value.split("x") if isinstance(value, str) else value
    try:
        rows, columns = (int(str(part)) for part in parts)
    except (TypeError, ValueError):
        rows = columns = 0
    if rows < 1 or columns < 1:
        raise ConfigError(f"{key} is {value!r}; expected two positive numbers, rows and columns, such as [24, 12].")
    return rows, columns


def _by(grid: Grid) -> str:
    return f"{grid[0]} x {grid[1]}"
