"""Checkpoint files, written atomically and read without running code."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch

from opengait import distributed
from opengait.engine.run_folder import checkpoint_path as checkpoint_path
from opengait.engine.run_folder import checkpoints_of as checkpoints_of
from opengait.errors import CheckpointError
from opengait.utils.files import write_whole
from opengait.utils.state_dicts import find_state
from opengait.utils.tensor_files import UnreadableError, read_tensors
from opengait.utils.text import brief

# Length of the state of a Mersenne twister.
_NUMPY_KEYS = 624


def save_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically: even after a crash, `path` holds the old file or the complete new one.

    Raises:
        OutputError: the file cannot be written.
    """

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            sink = _Sink(file)
            try:
                torch.save(content, cast(IO[bytes], sink))
            except RuntimeError as error:
                # Torch's own message counts bytes ("unexpected pos"); the cause is the error of the disk.
                raise sink.error or error from error

    write_whole(Path(path), write, flush=True)


class _Sink:
    """A file that remembers why writing to it failed."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            written: int = self.file.write(data)
        except OSError as error:
            self.error = error
            raise
        return written

    def flush(self) -> None:
        self.file.flush()


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint on the CPU, read with `weights_only=True`: tensors and plain values, no code.

    The state dict is always under `model`, even if the file holds nothing else or nests it differently
    (`opengait.utils.state_dicts`). Entries that are None are left out.

    Raises:
        CheckpointError: the file does not exist, is damaged, is something else, holds more than tensors and plain
            values, or an entry is not of the type and range that the engine writes.
    """
    path = Path(path)
    try:
        content = read_tensors(path)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"There is no checkpoint {path}; its folder {_contents(path.parent)}. Name another checkpoint, or train "
            f"first."
        ) from error
    except UnreadableError as error:
        others = sorted(file.name for file in path.parent.glob("[!.]*.pt") if file.name != path.name)
        inside = f"; its folder also has {others[-1]}" if others else ""
        if path.is_dir():
            inside = f" ({_contents(path)})"
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}{inside}.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is not a checkpoint: expected a dict, got a {type(content).__name__}.")
    return _checked(content, path)


def _contents(folder: Path) -> str:
    """List the checkpoints in a folder, for a message."""
    files = [*folder.glob("[!.]*.pt"), *folder.glob("checkpoints/[!.]*.pt")]
    if not files:
        return "has no .pt file" if folder.is_dir() else "does not exist"
    return f"has {', '.join(sorted(str(file.relative_to(folder)) for file in files))}"


def _checked(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the content with its state dict under `model`, after checking each entry that the engine reads."""
    state = find_state(content)
    if state is content:
        return {"model": state}
    content = {name: value for name, value in content.items() if value is not None}
    if state is not None:
        content["model"] = state
    for name, (fits, expected) in ENTRIES.items():
        if name in content and not fits(content[name]):
            raise CheckpointError(
                f"{path} is damaged or was written by another program: its `{name}` is {brief(content[name])}; "
                f"expected {expected}."
            )
    return content


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_model(value: Any) -> bool:
    return isinstance(value, Mapping) and (not value or find_state(value) is not None)


def _is_optimizer(value: Any) -> bool:
    groups = value.get("param_groups") if isinstance(value, Mapping) else None
    state = value.get("state") if isinstance(value, Mapping) else None
    return (
        isinstance(groups, list)
        and all(isinstance(group, Mapping) and isinstance(group.get("params"), list) for group in groups)
        and isinstance(state, Mapping)
        and all(isinstance(entry, Mapping) for entry in state.values())
    )


def _are_critics(value: Any) -> bool:
    parts = {name: fits for name, (fits, _) in ENTRIES.items() if name in ("optimizer", "scheduler", "trained_with")}
    return isinstance(value, Mapping) and all(
        isinstance(name, str)
        and isinstance(state, Mapping)
        and all(part in parts and parts[part](entry) for part, entry in state.items())
        for name, state in value.items()
    )


def _are_tests(value: Any) -> bool:
    metric = value.get("metric") if isinstance(value, Mapping) else None
    tests = value.get("tests") if isinstance(value, Mapping) else None
    return (
        isinstance(metric, list)
        and all(isinstance(name, str) for name in metric)
        and isinstance(tests, list)
        and all(isinstance(test, list) and len(test) == 2 and _is_count(test[0]) for test in tests)
        and all(isinstance(test[1], float) for test in tests)
    )


def _are_random_states(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    before = random_state()
    try:
        for state in value:
            set_random_state(state)
    # A wrong state fails in Python's, numpy's or torch's own way.
    except (AttributeError, IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError):
        return False
    finally:
        set_random_state(before)
    return True


# Entries of a checkpoint that the engine reads, with what they must be. OpenGait's have the first four.
ENTRIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_is_model, "a state dict: tensors by name"),
    "optimizer": (_is_optimizer, "an optimiser's state_dict()"),
    "scheduler": (lambda value: isinstance(value, Mapping), "a schedule's state_dict()"),
    "iteration": (_is_count, "a non-negative integer"),
    "scaler": (lambda value: isinstance(value, Mapping), "a gradient scaler's state_dict()"),
    "batches_drawn": (_is_count, "a non-negative integer"),
    "rank_states": (_are_random_states, "a list with the random state of each process"),
    "trained_with": (lambda value: isinstance(value, Mapping), "the settings of the training"),
    "early_stop": (_are_tests, "metric and tests of an early stop"),
    "critics": (_are_critics, "optimiser, schedule and settings of each critic"),
}


def random_state() -> dict[str, Any]:
    """Return the state of this process's random streams, as tensors and plain values."""
    # numpy's legacy stream, from which OpenGait's transforms draw.
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    state = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
    }
    if distributed.device().type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the streams from a return value of `random_state`; a CUDA state is ignored without a CUDA device."""
    kind, keys, position, has_gauss, gauss = state["numpy"]
    if keys.numel() != _NUMPY_KEYS:
        raise ValueError(f"numpy's random state has {keys.numel()} keys instead of {_NUMPY_KEYS}")
    random.setstate(state["python"])
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and distributed.device().type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu())
