"""Checkpoint files, written atomically and read without running code."""

import os
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from opengait.engine.run_folder import checkpoint_path as checkpoint_path
from opengait.errors import CheckpointError


def save_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically: even after a crash, `path` holds the old file or the complete new one.

    The bytes go to a temporary file in the same folder, which is flushed to disk and then renamed.
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
    """Return the content of a checkpoint, read with `weights_only=True`: tensors and plain values, no code.

    Raises:
        CheckpointError: the file does not exist, is damaged, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        checkpoints = sorted(file.name for file in path.parent.glob("*.pt"))
        contents = f"has {', '.join(checkpoints)}" if checkpoints else "has no .pt file"
        if not path.parent.is_dir():
            contents = "does not exist"
        raise CheckpointError(
            f"There is no checkpoint {path}; its folder {contents}. Name another checkpoint, or train first."
        )
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: it is damaged, or holds objects other than tensors and plain "
            f"values."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is not a checkpoint: expected a dict, got a {type(content).__name__}.")
    return content


def load_weights(
    module: nn.Module,
    state: Mapping[str, torch.Tensor],
    source: str | Path,
    *,
    strict: bool,
    free: tuple[str, ...] = (),
) -> list[str]:
    """Load `state` into `module`, as `load_state_dict` does, with a clear report of mismatches.

    Args:
        source: origin of `state`, for the message.
        strict: require exactly the module's entries; otherwise load those that match by name and shape.
        free: prefixes of names that may be missing or unexpected even if `strict`.

    Returns:
        The names of the module's entries that received no value, except those under `free`.

    Raises:
        CheckpointError: entries do not match; the message names the first missing, unexpected and mis-shaped ones.
    """
    entries = module.state_dict()
    missing = [name for name in entries if name not in state and not name.startswith(free)]
    unexpected = [name for name in state if name not in entries and not name.startswith(free)]
    misfit = [name for name in state if name in entries and entries[name].shape != state[name].shape]
    problems = []
    if strict and missing:
        problems.append(f"it lacks {_first(missing)}")
    if strict and unexpected:
        problems.append(f"the model has no {_first(unexpected)}")
    if strict and misfit:
        name = misfit[0]
        more = f" and {len(misfit) - 1} more" if len(misfit) > 1 else ""
        problems.append(f"{name}{more} is {_shape(state[name])} in the file and {_shape(entries[name])} in the model")
    if problems:
        raise CheckpointError(
            f"{source} does not fit this {type(module).__name__}: {'; '.join(problems)}. Use the configuration it was "
            f"trained with, or set `restore_ckpt_strict: false` to load only the entries that match."
        )
    fitting = {name: state[name] for name in state if name in entries and name not in misfit}
    module.load_state_dict(fitting, strict=False)
    return missing + misfit


def _first(names: list[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def random_state() -> dict[str, Any]:
    """Return the state of this process's random streams, as tensors and plain values."""
    # numpy's legacy stream, from which OpenGait's transforms draw.
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    state = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the streams from a return value of `random_state`; a CUDA state is ignored without a CUDA device."""
    random.setstate(state["python"])
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
