"""Check what types leave open, by building the parts of a configuration that cost nothing to build."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from opengait.config.resolve import entries_of
from opengait.config.sections import GROUP
from opengait.config.source import KeyPath, Origins, dotted, place_of
from opengait.data.frame_picker import FramePicker
from opengait.data.transform import get_transform
from opengait.engine.optim import COMPOSITES, build_optimizer, build_scheduler
from opengait.engine.run_state import RunState
from opengait.errors import ConfigError
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils.typed import shown


def try_parts(config: dict[str, Any], origins: Origins, keys_alone: bool) -> None:
    """Build the frame pickers, transforms, losses, optimiser and schedule of a checked configuration.

    Args:
        keys_alone: build nothing, for a model that reads keys of its own and may build these parts otherwise.

    Raises:
        ConfigError: a part rejects its arguments, or the milestones of a `SequentialLR` are not in ascending order.
    """

    def attempt(at: KeyPath, build: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return build(*arguments)
        except ConfigError as error:
            raise ConfigError(f"{place_of(at, origins)}: {error}") from error

    # The model's optimiser and schedule, and those of each critic.
    trained = [((), config), *entries_of(config, "critic_cfg")]
    for at, owner in trained:
        for place, part in _schedules(owner.get("scheduler_cfg") or {}, (*at, "scheduler_cfg")):
            milestones = part.get("milestones", [])
            # Those of `MultiStepLR` may be in any order.
            if part.get("scheduler") == "SequentialLR" and milestones != sorted(milestones):
                place = (*place, "milestones")
                raise ConfigError(
                    f"{place_of(place, origins)}: {dotted(place)}: expected ascending numbers, got {shown(milestones)}."
                )
    if keys_alone:
        return
    for name in ("trainer_cfg", "evaluator_cfg"):
        attempt((name, "sampler"), FramePicker.from_config, config[name]["sampler"])
        attempt((name, "transform"), get_transform, config[name].get("transform"))
    attempt(("loss_cfg",), LossAggregator, config.get("loss_cfg") or [], RunState())
    for at, owner in trained:
        optimizer, scheduler = owner["optimizer_cfg"], owner.get("scheduler_cfg") or {}
        if at == () and "solver" not in optimizer:
            continue
        for group in [{}, *(optimizer.get("groups") or [])]:
            settings = optimizer | {key: value for key, value in group.items() if key not in GROUP} | {"groups": []}
            weight = torch.nn.Parameter(torch.zeros(1, 1))
            built = attempt((*at, "optimizer_cfg"), build_optimizer, [("weight", weight)], settings)
            if "scheduler" in scheduler:
                attempt((*at, "scheduler_cfg"), build_scheduler, built, scheduler)


def _schedules(section: dict[str, Any], at: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield a schedule and its parts, with their paths."""
    yield at, section
    for index, part in enumerate(section.get("schedulers") or [] if section.get("scheduler") in COMPOSITES else []):
        yield from _schedules(part, (*at, "schedulers", index))
