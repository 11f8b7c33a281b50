"""Values derived from others: the name of a run, and iterations given in epochs.

Where a number of iterations is expected, a configuration may contain "35 epochs"; an epoch has
`trainer_cfg.steps_per_epoch` iterations. The result of `load_config` contains only iterations, and not that key.
"""

import re
from pathlib import Path
from typing import Any

from opengait.config.source import KeyPath, Origins, dotted, place_of
from opengait.errors import ConfigError

_EPOCHS = re.compile(r"([0-9]{1,9}) epochs?")
# Keys that count iterations, as does every number of a `scheduler_cfg`.
_COUNTED = (
    ("trainer_cfg", "total_iter"),
    ("trainer_cfg", "log_iter"),
    ("trainer_cfg", "save_iter"),
    ("trainer_cfg", "test_iter"),
    ("trainer_cfg", "restore_hint"),
    ("evaluator_cfg", "restore_hint"),
)


def name_run(config: dict[str, Any], path: Path) -> None:
    """Fill in `save_name` where it is null: the trainer's is the stem of `path`, the evaluator's is the trainer's."""
    trainer, evaluator = config["trainer_cfg"], config["evaluator_cfg"]
    if trainer["save_name"] is None:
        trainer["save_name"] = path.stem
    if evaluator["save_name"] is None:
        evaluator["save_name"] = trainer["save_name"]


def resolve_epochs(config: dict[str, Any], origins: Origins) -> None:
    """Convert epochs to iterations, in place; `trainer_cfg.steps_per_epoch` is a positive integer or null.

    Raises:
        ConfigError: a value is in epochs, but `trainer_cfg.steps_per_epoch` is not set.
    """
    steps = config["trainer_cfg"].pop("steps_per_epoch", None)

    def resolved(value: Any, at: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: resolved(entry, (*at, key)) for key, entry in value.items()}
        if isinstance(value, list):
            return [resolved(entry, (*at, index)) for index, entry in enumerate(value)]
        match = _EPOCHS.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value
        if steps is None:
            raise ConfigError(
                f"{place_of(at, origins)}: {dotted(at)} is {value!r}; set trainer_cfg.steps_per_epoch to the number of "
                "iterations per epoch."
            )
        return int(match[1]) * steps

    def resolve(section: dict[str, Any], at: KeyPath, key: str) -> None:
        if key in section:
            section[key] = resolved(section[key], (*at, key))

    for name, key in _COUNTED:
        resolve(config[name], (name,), key)
    for at, entry in entries_of(config, "loss_cfg"):
        resolve(entry, at, "begin_iter")
        resolve(entry, at, "weight_schedule")
    for at, entry in [((), config), *entries_of(config, "critic_cfg")]:
        resolve(entry, at, "scheduler_cfg")
        section = entry.get("scheduler_cfg")
        if isinstance(section, dict) and section.get("steps_per_epoch", 1) is None:
            section.pop("steps_per_epoch", None)


def entries_of(config: dict[str, Any], name: str) -> list[tuple[KeyPath, Any]]:
    """Return the entries of a section that is a mapping or a list of mappings, with their paths; none if empty."""
    section = config.get(name)
    if isinstance(section, list):
        return [((name, index), entry) for index, entry in enumerate(section)]
    return [((name,), section)] if section else []
