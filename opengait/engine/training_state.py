"""Comparison of a saved optimiser and schedule with those of the run that restores them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from opengait import distributed
from opengait.engine.contract import EngineModel, Trained
from opengait.engine.fused import IMPLEMENTATION, with_implementation_of
from opengait.engine.optim import EpochSchedule
from opengait.utils.files import plain
from opengait.utils.text import brief

# Solvers whose state has other shapes than the parameters.
_OWN_SHAPES = ("LBFGS", "Adafactor")
# Settings of parameter groups that only some versions of torch store.
_VERSIONED = IMPLEMENTATION | {"maximize", "decoupled_weight_decay"}
# Entries of schedules that change as they step, or with the learning rate.
_PROGRESS = frozenset({"last_epoch", "base_lrs", "T_cur", "T_i", "iteration", "scheduler"})
_HUGE = 2.0**63


class MismatchError(Exception):
    """A part of a checkpoint is not of the kind or form that the configuration describes."""


def training_state(trained: Trained) -> dict[str, Any]:
    """Return the entries of a checkpoint that continue an optimiser and its schedule, with their settings."""
    return {
        "optimizer": trained.optimizer.state_dict(),
        "scheduler": trained.scheduler.state_dict(),
        "trained_with": settings_of(trained),
    }


def settings_of(trained: Trained) -> dict[str, Any]:
    """Return the settings that a resumed run should share, as plain values: optimiser, schedule, batches and seed."""
    settings = {
        "solver": type(trained.optimizer).__name__,
        "schedule": type(trained.scheduler).__name__,
        "optimizer_cfg": trained.cfgs.get("optimizer_cfg"),
        "scheduler_cfg": trained.cfgs.get("scheduler_cfg"),
    }
    if "trainer_cfg" in trained.cfgs:
        settings["trainer_cfg"] = {key: trained.cfgs["trainer_cfg"].get(key) for key in ("sampler", "seed")}
    plain_settings: dict[str, Any] = json.loads(json.dumps(plain(settings), default=str))
    return plain_settings


def restore_part(trained: Trained, part: str, content: Mapping[str, Any]) -> None:
    """Load the saved `part`, "optimizer" or "scheduler"; an optimiser stays fused or not, as it was built."""
    state = content[part]
    if part == "optimizer":
        state = with_implementation_of(trained.optimizer, state)
    getattr(trained, part).load_state_dict(state)


def check_part(trained: Trained, part: str, content: Mapping[str, Any]) -> None:
    """Compare the kind and form of the saved `part`, "optimizer" or "scheduler", with the configured one's.

    Raises:
        MismatchError: they differ, or a number is not finite.
    """
    ours, saved = getattr(trained, part), content[part]
    kind = type(ours).__name__
    saved_kind = content.get("trained_with", {}).get("solver" if part == "optimizer" else "schedule")
    if saved_kind not in (None, kind):
        raise MismatchError(f"it is the state of {brief(saved_kind)}, expected {kind}")
    if part == "optimizer":
        _check_groups(ours, saved, kind, known=saved_kind is not None)
    else:
        _check_alike(ours.state_dict(), saved, kind, known=saved_kind is not None)


def check_rates(part: Any) -> None:
    """Check the learning rates of a restored optimiser or schedule.

    Raises:
        MismatchError: one is negative or not finite.
    """
    rates = [group["lr"] for group in part.param_groups] if hasattr(part, "param_groups") else []
    rates += part.get_last_lr() if hasattr(part, "get_last_lr") else []
    wrong = [rate for rate in rates if not 0 <= rate < math.inf]
    if wrong:
        raise MismatchError(f"its learning rate is {wrong[0]}")


def _check_groups(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], solver: str, *, known: bool) -> None:
    groups, theirs = optimizer.param_groups, saved["param_groups"]
    if len(groups) != len(theirs):
        raise MismatchError(f"it has {len(theirs)} parameter groups, expected {len(groups)}")
    for number, (group, other) in enumerate(zip(groups, theirs, strict=True)):
        name = f"parameter group {number} of {solver}"
        _check_alike(_settings(group), _settings(other), name, known=known)
        if len(other["params"]) != len(group["params"]):
            raise MismatchError(f"{name} has {len(other['params'])} parameters, expected {len(group['params'])}")
        for key, parameter in zip(other["params"], group["params"], strict=True):
            _check_moments(saved["state"].get(key) or {}, parameter, f"parameter {key}", solver)


def _check_moments(state: Mapping[str, Any], parameter: torch.Tensor, owner: str, solver: str) -> None:
    for name, value in state.items():
        if not isinstance(value, torch.Tensor) or value.dim() == 0 or solver in _OWN_SHAPES:
            continue
        if value.shape != parameter.shape:
            shapes = tuple(value.shape), tuple(parameter.shape)
            raise MismatchError(f"{name} of {owner} has shape {shapes[0]}, expected {shapes[1]}")
        if not value.isfinite().all():
            raise MismatchError(f"{name} of {owner} has numbers that are not finite")


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in _VERSIONED | {"params", "initial_lr"}}


def _check_alike(ours: Mapping[str, Any], saved: Any, name: str, *, known: bool) -> None:
    """Compare the keys of two states, unless their kinds are `known` to be equal, and the types of their values.

    Private keys and some flags differ between versions of torch.
    """
    if not isinstance(saved, Mapping):
        raise MismatchError(f"{name} is a {type(saved).__name__}")
    public, theirs = ({key for key in state if not str(key).startswith("_")} - {"verbose"} for state in (ours, saved))
    if not known and public != theirs:
        key = min(public ^ theirs, key=str)
        differing = f"{'lacks' if key in public else 'has'} {brief(key)}"
        raise MismatchError(f"it is not the state of {name}: it {differing}")
    for key in public & theirs:
        if key == "scheduler":
            _check_alike(ours[key], saved[key], f"the schedule of {name}", known=False)
        elif not _of_one_kind(ours[key], saved[key]):
            raise MismatchError(f"{key} of {name} is {brief(saved[key])}, expected a value such as {ours[key]!r}")
    parts = ours.get("_schedulers", []), saved.get("_schedulers", [])
    if not isinstance(parts[1], list) or len(parts[0]) != len(parts[1]):
        raise MismatchError(f"it does not consist of the {len(parts[0])} schedules of {name}")
    for number, (mine, other) in enumerate(zip(*parts, strict=True)):
        _check_alike(mine, other, f"schedule {number} of {name}", known=False)


def _of_one_kind(ours: Any, other: Any) -> bool:
    """Return whether two settings have the same type, and the other's numbers are finite; null is of any type."""
    if ours is None or other is None:
        return True
    if isinstance(ours, bool) or isinstance(other, bool):
        return type(ours) is type(other)
    if isinstance(ours, int | float):
        return isinstance(other, int | float) and abs(other) < _HUGE
    if isinstance(ours, list | tuple):
        return isinstance(other, list | tuple) and all(map(_of_one_kind, ours, other))
    return isinstance(other, Mapping if isinstance(ours, Mapping) else type(ours))


def part_differences(
    trained: Trained, content: Mapping[str, Any], path: Path, parts: Sequence[str], owner: str = ""
) -> Iterator[str]:
    """Yield a line for each setting that differs between restored parts and the configuration, saying which applies.

    Args:
        trained: the model, or a critic.
        content: its `training_state`.
        path: the checkpoint.
        parts: what is restored of "optimizer" and "scheduler"; the settings of the other are not compared.
        owner: first words of the lines.
    """
    settings = settings_of(trained)
    saved = content.get("trained_with", {})
    for part in parts:
        section = f"{part}_cfg"
        pairs = (
            _changed(settings[section], saved[section], section)
            if section in saved
            else _drifted(trained, content, part)
        )
        for key, new, old in pairs:
            stays = key.rpartition(".")[2] in IMPLEMENTATION or (
                key == "scheduler_cfg.steps_per_epoch" and isinstance(trained.scheduler, EpochSchedule)
            )
            yield owner + _difference(key, new, old, path, None if stays else part)


def run_differences(model: EngineModel, content: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Yield a line for each difference in batches, seed, iteration and processes from the run that is continued."""
    saved = content.get("trained_with", {})
    if "trainer_cfg" in saved:
        for key, new, old in _changed(settings_of(model)["trainer_cfg"], saved["trainer_cfg"], "trainer_cfg"):
            yield _difference(key, new, old, path, None)
    iteration = content.get("iteration", model.iteration)
    if iteration != model.iteration:
        yield f"{path} holds iteration {iteration}, but is used as that of {model.iteration}, which its name says."
    processes, world = len(content.get("rank_states", ())), distributed.world_size()
    if processes not in (0, world):
        yield (
            f"{path} comes from a run on {processes} processes, and this one has {world}; random draws, such as "
            f"dropout, differ from those of an uninterrupted run."
        )


def _changed(new: Any, old: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the key, the new and the old value of each difference between two sections."""
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _changed(new.get(name), old.get(name), f"{key}.{name}")
    elif _differ(new, old):
        yield key, new, old


def _drifted(trained: Trained, content: Mapping[str, Any], part: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield what `_changed` does, from the states themselves; OpenGait's checkpoints have no settings."""
    ours, saved = getattr(trained, part).state_dict(), content[part]
    if part == "scheduler":
        states = [("scheduler_cfg", ours, saved)]
        if isinstance(trained.scheduler, EpochSchedule):
            states = [("scheduler_cfg", ours["scheduler"], saved["scheduler"])]
    else:
        groups = zip(ours["param_groups"], saved["param_groups"], strict=True)
        # The first group has the settings of the section.
        states = [
            (f"optimizer_cfg.groups.{number - 1}" if number else "optimizer_cfg", _initial(group), _initial(other))
            for number, (group, other) in enumerate(groups)
        ]
    for section, new, old in states:
        for key in new.keys() & old.keys() - _PROGRESS - _VERSIONED - {"params", "verbose", "initial_lr"}:
            if not str(key).startswith("_") and _differ(new[key], old[key]):
                yield f"{section}.{key}", new[key], old[key]


def _differ(new: Any, old: Any) -> bool:
    try:
        return isinstance(old, torch.Tensor) or bool(new != old)
    # A file may hold tensors where settings belong.
    except RuntimeError:
        return True


def _initial(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parameter group with the learning rate that its schedule began with."""
    return {**group, "lr": group.get("initial_lr", group["lr"])}


def _difference(key: str, new: Any, old: Any, path: Path, part: str | None) -> str:
    applies = "the configured value applies"
    if part is not None:
        applies = f"the checkpoint's applies (trainer_cfg.{part}_reset: true starts the {part} anew)"
    return f"{key} is {brief(new)}, but {path.name} was trained with {brief(old)}; {applies}."
