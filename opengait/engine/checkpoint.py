"""Checkpoint files: written whole or not at all, read as data and never as code."""

import os
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from opengait.errors import CheckpointError


def checkpoint_path(save_path: str | Path, save_name: str, iteration: int) -> Path:
    """`<save_path>/checkpoints/<save_name>-<iteration, five digits>.pt`."""
    return Path(save_path) / "checkpoints" / f"{save_name}-{iteration:0>5}.pt"


def save_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Write `content` so that `path` holds either the former file or all of the new one, even if the machine stops.

    The bytes go to a temporary name in the same folder, are flushed to disk, and the file is then renamed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_checkpoint(path: str | Path, map_location: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint with `weights_only=True`: tensors and plain values, nothing that runs.

    Raises:
        CheckpointError: there is no such file, or it is damaged, or it holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        there = sorted(file.name for file in path.parent.glob("*.pt")) if path.parent.is_dir() else []
        found = f"that folder has {', '.join(there)}" if there else "that folder has no .pt file"
        if not path.parent.is_dir():
            found = "that folder does not exist"
        raise CheckpointError(
            f"There is no checkpoint {path}; {found}. Name another with `restore_hint` or --iter, or train first."
        )
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({reason[0]}); it may be damaged, or hold objects other than "
            f"tensors and plain values."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not the dict that a checkpoint is.")
    return content


def load_weights(
    module: nn.Module,
    state: Mapping[str, torch.Tensor],
    source: str | Path,
    *,
    strict: bool,
    free: tuple[str, ...] = (),
) -> list[str]:
    """Put `state` into `module` (as `load_state_dict`), with a message that says what does not fit.

    Args:
        source: where `state` came from, for the message.
        strict: every entry must be there and none more; otherwise what fits by name and shape is taken.
        free: prefixes of names that may be missing or surplus all the same.

    Returns:
        The names of the module that got no value, those under `free` apart.

    Raises:
        CheckpointError: names the first missing, surplus and mis-shaped entries.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state and not name.startswith(free)]
    surplus = [name for name in state if name not in own and not name.startswith(free)]
    misfit = [name for name in state if name in own and own[name].shape != state[name].shape]
    complaints = []
    if strict and missing:
        complaints.append(f"it lacks {_first(missing)}")
    if strict and surplus:
        complaints.append(f"the model has no {_first(surplus)}")
    if strict and misfit:
        name = misfit[0]
        more = f" and {len(misfit) - 1} more" if len(misfit) > 1 else ""
        complaints.append(f"{name}{more} is {_shape(state[name])} there and {_shape(own[name])} in the model")
    if complaints:
        raise CheckpointError(
            f"{source} was not made by this {type(module).__name__}: {'; '.join(complaints)}. Use the configuration it "
            f"was trained with, or set `restore_ckpt_strict: false` to take only what fits."
        )
    module.load_state_dict({name: state[name] for name in state if name in own and name not in misfit}, strict=False)
    return missing + misfit


def _first(names: list[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def random_state() -> dict[str, Any]:
    """The state of this process's random streams, as tensors and plain values."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 (the streams that transforms use)
    state = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Continue the random streams where `random_state` left them; a CUDA state is used where there is a CUDA device."""
    random.setstate(state["python"])
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
