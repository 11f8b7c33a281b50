"""Saving a training, and restoring it: to continue a run, or to start one with the weights of a file."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from torch import nn

from opengait import distributed
from opengait.engine.checkpoint import checkpoint_path, checkpoints_of, load_checkpoint, save_checkpoint
from opengait.engine.contract import EngineModel, Trained
from opengait.engine.training_state import (
    MismatchError,
    check_part,
    check_rates,
    part_differences,
    restore_part,
    run_differences,
    training_state,
)
from opengait.engine.weights import load_weights
from opengait.errors import CheckpointError, ConfigError, OutputError
from opengait.utils.text import first_line


def save(model: EngineModel, iteration: int) -> None:
    """Write the checkpoint of `iteration` on rank 0, with everything needed to resume exactly.

    Raises:
        OutputError: it cannot be written.
    """
    if not distributed.is_main():
        return
    # A loop of the model's own may save before its first log line.
    model.msg_mgr.begin()
    left_out = model.ignored_state_prefixes
    content = {
        "model": {name: value for name, value in model.state_dict().items() if not name.startswith(left_out)},
        **training_state(model),
        "scaler": model.Scaler.state_dict() if hasattr(model, "Scaler") else {},
        **model.run_state.to_checkpoint(iteration),
    }
    if model.critics:
        content["critics"] = {critic.name: training_state(critic) for critic in model.critics}
    try:
        save_checkpoint(content, checkpoint_path(model.save_path, model.engine_cfg["save_name"], iteration))
    except OutputError as error:
        last = max(checkpoints_of(Path(model.save_path)), default=None)
        kept = "has no checkpoint yet" if last is None else f"continues from iteration {last} with --iter {last}"
        raise OutputError(f"{error} The run stops at iteration {iteration}; it {kept}.") from error


def hinted_path(model: EngineModel, restore_hint: int | str) -> Path:
    """Return the file of `restore_hint`: an iteration of this run or a path.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(restore_hint, int) and not isinstance(restore_hint, bool):
        return checkpoint_path(model.save_path, model.engine_cfg["save_name"], restore_hint)
    if isinstance(restore_hint, str):
        return Path(restore_hint)
    raise ConfigError(f"restore_hint: expected an iteration of this run or a path, got {restore_hint!r}.")


def load(model: EngineModel, path: Path) -> None:
    """Load the weights of a checkpoint; in training also optimiser and schedule, if the run continues.

    A run continues if its iteration is not 0. `optimizer_reset` and `scheduler_reset`, if not null, decide for their
    part instead. Counters, random states and gradient scaler follow the iteration.

    Raises:
        CheckpointError: the file is missing, damaged, or of another model.
        ConfigError: its optimiser or schedule differs in kind or form from the configured one.
    """
    content = load_checkpoint(path)
    if "model" not in content:
        names = ", ".join(repr(name)[:40] for name in list(content)[:5]) or "nothing"
        raise CheckpointError(f"{path} has no weights: expected `model` or a state dict, got {names}.")
    free = model.ignored_state_prefixes
    if not model.training:
        # Trainable losses are saved with the model, but exist in training only, and so may critics.
        free = (*free, "loss_aggregator.", *(f"{name}." for name in content.get("critics", ())))
    strict = model.engine_cfg["restore_ckpt_strict"]
    warn = model.msg_mgr.log_warning
    load_weights(
        cast(nn.Module, model),
        model.renamed_state(content["model"]),
        path,
        strict=strict,
        free=free,
        classifiers=() if model.training else _classifiers(cast(nn.Module, model)),
        warn=warn,
    )
    model.run_state.restored(path, content)
    if model.training:
        _load_training(model, content, path)
    model.msg_mgr.log_info(f"Restore Parameters from {path} !!!")


def _classifiers(model: nn.Module) -> set[str]:
    """Return the names of the entries that modules list as `classifiers`, which no descriptor needs."""
    parts = ((module, getattr(module, "classifiers", None)) for module in model.modules())
    # A module of somebody else may have a child of that name.
    listed = ((module, prefixes) for module, prefixes in parts if isinstance(prefixes, tuple))
    parameters = {
        id(value)
        for module, prefixes in listed
        for name, value in module.named_parameters()
        if name.startswith(prefixes)
    }
    # Entries need not be named as their modules are.
    return {name for name, value in model.state_dict(keep_vars=True).items() if id(value) in parameters}


def _load_training(model: EngineModel, content: dict[str, Any], path: Path) -> None:
    continuing = model.iteration > 0
    parts = _load_parts(model, model, content, path)
    for critic in model.critics:
        saved = content.get("critics", {}).get(critic.name, {})
        _load_parts(model, critic, saved, path, f"Critic {critic.name}: ")
    if continuing:
        for line in run_differences(model, content, path):
            model.msg_mgr.log_warning(line)
    else:
        kept = f" with the {' and '.join(parts)}" if parts else ""
        model.msg_mgr.log_info(f"A new run starts at iteration 0 from the weights of {path}{kept}.")
        return
    model.run_state.resume(content)
    if hasattr(model, "Scaler") and content.get("scaler"):
        _load_scaler(model, content["scaler"], path)


def _load_parts(
    model: EngineModel, trained: Trained, content: Mapping[str, Any], path: Path, owner: str = ""
) -> list[str]:
    """Restore the optimiser and the schedule of the model or of a critic, and return which of the two were.

    Args:
        trained: the model, or one of its critics.
        content: its entries of the checkpoint (`training_state`).
        path: the checkpoint.
        owner: first words of the messages.
    """
    continuing = model.iteration > 0
    parts = [part for part in ("optimizer", "scheduler") if _is_restored(model, part, content, continuing)]
    for part in parts:
        with _fitting(path, part, owner):
            check_part(trained, part, content)
    for line in part_differences(trained, content, path, parts, owner):
        model.msg_mgr.log_warning(line)
    for part in ("optimizer", "scheduler"):
        if part in parts:
            with _fitting(path, part, owner):
                restore_part(trained, part, content)
                check_rates(getattr(trained, part))
        elif continuing or model.engine_cfg[f"{part}_reset"] is not None:
            model.msg_mgr.log_warning(f"{owner}Restore NO {part.capitalize()} from {path} !!!")
    return parts


def _is_restored(model: EngineModel, part: str, content: Mapping[str, Any], continuing: bool) -> bool:
    reset = model.engine_cfg[f"{part}_reset"]
    return part in content and not (reset if reset is not None else not continuing)


@contextmanager
def _fitting(path: Path, part: str, owner: str) -> Iterator[None]:
    """Turn what goes wrong with the saved optimiser or schedule into a `ConfigError`."""
    try:
        yield
    # Torch checks little of a state, so a wrong one fails in any way.
    except Exception as error:
        reason = first_line(error)
        if not isinstance(error, MismatchError):
            reason = f"{type(error).__name__}: {reason}"
        raise ConfigError(
            f"{owner}The {part} in {path} does not fit {part}_cfg: {reason}. Use the {part}_cfg it was trained with, "
            f"or set trainer_cfg.{part}_reset: true to start with a fresh {part}."
        ) from error


def _load_scaler(model: EngineModel, scaler: Mapping[str, Any], path: Path) -> None:
    scale = scaler.get("scale")
    try:
        if not isinstance(scale, int | float) or not 0 < scale < math.inf:
            raise ValueError("its scale is not a positive number")
        model.Scaler.load_state_dict(scaler)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"The gradient scaler in {path} cannot be restored: {error}.") from error
