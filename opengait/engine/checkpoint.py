"""Checkpoint files: written atomically, read as data and never as code."""

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
    """Return `<save_path>/checkpoints/<save_name>-<iteration, five digits>.pt`."""
    return Path(save_path) / "checkpoints" / f"{save_name}-{iteration:0>5}.pt"


def save_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically: even after a crash, `path` holds the former file or all of the new one.

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
        content_of_folder = f"has {', '.join(checkpoints)}" if checkpoints else "has no .pt file"
        if not path.parent.is_dir():
            content_of_folder = "does not exist"
        raise CheckpointError(
            f"There is no checkpoint {path}; its folder {content_of_folder}. Name another checkpoint, or train first."
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
    """Load `state` into `module`, as `load_state_dict` does, and report clearly what does not fit.

    Args:
        source: origin of `state`, for the message.
        strict: require exactly the module's entries; otherwise load those that fit by name and shape.
        free: prefixes of names that may be missing or surplus even then.

    Returns:
        The names of the module's entries that got no value, except those under `free`.

    Raises:
        CheckpointError: names the first missing, surplus and mis-shaped entries.
    """
    entries = module.state_dict()
    missing = [name for name in entries if name not in state and not name.startswith(free)]
    surplus = [name for name in state if name not in entries and not name.startswith(free)]
    misfit = [name for name in state if name in entries and entries[name].shape != state[name].shape]
    problems = []
    if strict and missing:
        problems.append(f"it lacks {_first(missing)}")
    if strict and surplus:
        problems.append(f"the model has no {_first(surplus)}")
    if strict and misfit:
        name = misfit[0]
        more = f" and {len(misfit) - 1} more" if len(misfit) > 1 else ""
        problems.append(f"{name}{more} is {_shape(state[name])} in the file and {_shape(entries[name])} in the model")
    if problems:
        raise CheckpointError(
            f"{source} does not fit this {type(module).__name__}: {'; '.join(problems)}. Use the configuration it was "
            f"trained with, or set `restore_ckpt_strict: false` to load only what fits."
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
    # numpy's legacy stream, since OpenGait's transforms draw from it.
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
    """Restore what `random_state` returned; the state of a CUDA stream is ignored without a CUDA device."""
    random.setstate(state["python"])
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
