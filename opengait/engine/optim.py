"""Optimisers and learning-rate schedules, by the names that torch gives them."""

import difflib
import functools
import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler

from opengait.errors import ConfigError
from opengait.utils.arguments import accepted_arguments, argument_names

COMPOSITES = ("SequentialLR", "ChainedScheduler")


def optimizer_class(name: str) -> type[Optimizer]:
    """The class of `torch.optim` called `name`.

    Raises:
        ConfigError: there is none; the message lists the nearest.
    """
    return _named(torch.optim, Optimizer, name, "optimizer_cfg.solver")


def scheduler_class(name: str) -> type[lr_scheduler.LRScheduler]:
    """The class of `torch.optim.lr_scheduler` called `name`.

    Raises:
        ConfigError: there is none, or it needs a measured value at each step.
    """
    found = _named(lr_scheduler, lr_scheduler.LRScheduler, name, "scheduler_cfg.scheduler")
    if "metrics" in inspect.signature(found.step).parameters:
        raise ConfigError(f"scheduler_cfg.scheduler: {name} waits for a metric; schedules here step once an iteration.")
    return found


@functools.cache
def optimizer_arguments() -> frozenset[str]:
    """Arguments that some optimiser takes: files for OpenGait carry those of another solver, such as `momentum`."""
    return _arguments(torch.optim, Optimizer)


@functools.cache
def scheduler_arguments() -> frozenset[str]:
    """Arguments that some schedule takes, without the one that is the engine's own key."""
    return _arguments(lr_scheduler, lr_scheduler.LRScheduler) - {"steps_per_epoch"}


def build_optimizer(parameters: Iterable[tuple[str, torch.nn.Parameter]], cfg: dict[str, Any]) -> Optimizer:
    """The optimiser of `optimizer_cfg`: `solver` and its arguments, over the parameters that require a gradient.

    `groups` gives some parameters settings of their own, the first entry that matches a name:

        solver: AdamW
        lr: 0.001
        groups:
          - {match: Backbone., lr: 0.0001}

    Args:
        parameters: as `module.named_parameters()` gives them.

    Raises:
        ConfigError: no or an unknown solver, nothing to train, arguments that it refuses, or an empty group.
    """
    if "solver" not in cfg:
        raise ConfigError("optimizer_cfg.solver is missing; name a class of torch.optim, such as SGD.")
    solver = optimizer_class(cfg["solver"])
    trained = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
    if not trained:
        raise ConfigError("The model has no parameter that requires a gradient, so there is nothing to train.")
    groups = _parameter_groups(trained, cfg.get("groups") or [])
    return _made(solver, (groups,), accepted_arguments(solver, cfg, ["solver", "groups"]), "optimizer_cfg")


def _parameter_groups(
    trained: list[tuple[str, torch.nn.Parameter]], groups: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """torch's parameter groups: those of `groups` by name, and the rest."""
    left, found = list(trained), []
    for place, group in enumerate(groups):
        if not isinstance(group, dict) or not isinstance(group.get("match"), str):
            raise ConfigError(f"optimizer_cfg.groups.{place} is {group!r}; wanted is a dict with `match`.")
        members = [entry for entry in left if group["match"] in entry[0]]
        if not members:
            raise ConfigError(f"optimizer_cfg.groups.{place}: no parameter's name contains {group['match']!r}.")
        left = [entry for entry in left if group["match"] not in entry[0]]
        settings = {key: value for key, value in group.items() if key != "match"}
        found.append({"params": [parameter for _, parameter in members], **settings})
    rest = [{"params": [parameter for _, parameter in left]}] if left else []
    # The rest comes first: the learning rate that is logged is the first group's.
    return rest + found


def build_scheduler(optimizer: Optimizer, cfg: dict[str, Any]) -> Any:
    """The schedule of `scheduler_cfg`: `scheduler` and its arguments; it steps once an iteration.

    With `steps_per_epoch` it steps once every so many iterations, so that its arguments count epochs (but for a
    schedule with an argument of that name, `OneCycleLR`, which counts iterations):

        scheduler: MultiStepLR
        steps_per_epoch: 300
        milestones: [40, 70]

    The composite ones take `schedulers`, a list of such dicts; a warm-up before a decay is

        scheduler: SequentialLR
        milestones: [500]
        schedulers:
          - {scheduler: LinearLR, start_factor: 0.01, total_iters: 500}
          - {scheduler: CosineAnnealingLR, T_max: 19500}

    Raises:
        ConfigError: no or an unknown scheduler, or arguments that it refuses.
    """
    scheduler = _scheduler(optimizer, cfg, "scheduler_cfg")
    if "steps_per_epoch" not in cfg or "steps_per_epoch" in argument_names(scheduler_class(cfg["scheduler"])):
        return scheduler
    return EpochSchedule(scheduler, cfg["steps_per_epoch"])


def _scheduler(optimizer: Optimizer, cfg: dict[str, Any], where: str) -> Any:
    if "scheduler" not in cfg:
        raise ConfigError(f"{where}.scheduler is missing; name one of torch.optim.lr_scheduler, such as MultiStepLR.")
    kind = scheduler_class(cfg["scheduler"])
    arguments = accepted_arguments(kind, cfg, ["scheduler", "steps_per_epoch"])
    if cfg["scheduler"] not in COMPOSITES:
        return _made(kind, (optimizer,), arguments, where)
    parts = cfg.get("schedulers")
    if not isinstance(parts, list) or not parts:
        raise ConfigError(f"{where}.schedulers is missing: {cfg['scheduler']} combines a list of schedulers.")
    arguments["schedulers"] = [
        _scheduler(optimizer, part, f"{where}.schedulers.{place}") for place, part in enumerate(parts)
    ]
    if "optimizer" in inspect.signature(kind.__init__).parameters:
        arguments["optimizer"] = optimizer
    return _made(kind, (), arguments, where)


class EpochSchedule:
    """A schedule that takes a step of its own once every `steps` steps; the learning rate is constant in between.

    Args:
        scheduler: the schedule, in epochs.
        steps: iterations of an epoch, `scheduler_cfg.steps_per_epoch`.

    Raises:
        ConfigError: `steps` is no whole number of 1 or more.
    """

    def __init__(self, scheduler: Any, steps: int) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ConfigError(f"scheduler_cfg.steps_per_epoch is {steps!r}; wanted is a whole number of iterations.")
        self.scheduler = scheduler
        self.steps = steps
        self.iteration = 0

    def step(self) -> None:
        """Count an iteration, and step the schedule if it was the last of its epoch."""
        self.iteration += 1
        if self.iteration % self.steps == 0:
            self.scheduler.step()

    def get_last_lr(self) -> list[float]:
        """The learning rate of every parameter group, as the schedule last set it."""
        return self.scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """The iteration's number and the schedule's own state."""
        return {"iteration": self.iteration, "scheduler": self.scheduler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`.

        Raises:
            KeyError: the state is of a schedule without epochs.
        """
        self.iteration = state["iteration"]
        self.scheduler.load_state_dict(state["scheduler"])


def _made(kind: type, first: tuple, arguments: dict[str, Any], where: str) -> Any:
    try:
        return kind(*first, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {kind.__name__} refuses {arguments}: {error}") from error


def _classes(module: Any, base: type) -> dict[str, type]:
    return {n: v for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, base) and v is not base}


def _arguments(module: Any, base: type) -> frozenset[str]:
    return frozenset(name for kind in _classes(module, base).values() for name in argument_names(kind))


def _named(module: Any, base: type, name: str, key: str) -> type:
    known = _classes(module, base)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4) or sorted(known)
    raise ConfigError(f"{key}: {module.__name__} has no {name!r}; did you mean {' or '.join(near)}?")
