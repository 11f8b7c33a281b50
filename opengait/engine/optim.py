"""Optimisers and learning-rate schedules, by their names in torch."""

import difflib
import functools
import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler

from opengait.engine.fused import fused, mend_momentum
from opengait.engine.schedules import WarmupCosineLR
from opengait.errors import ConfigError
from opengait.utils.arguments import accepted_arguments, argument_names

COMPOSITES = ("SequentialLR", "ChainedScheduler")


def optimizer_class(name: str) -> type[Optimizer]:
    """Return the class of `torch.optim` called `name`.

    Raises:
        ConfigError: there is none; the message lists similar names.
    """
    return _named(_classes(torch.optim, Optimizer), "torch.optim", name, "optimizer_cfg.solver")


def scheduler_class(name: str) -> type[lr_scheduler.LRScheduler]:
    """Return the class of `torch.optim.lr_scheduler`, or of `opengait.engine.schedules`, called `name`.

    Raises:
        ConfigError: there is none, or it steps on a measured value.
    """
    scheduler = _named(_schedules(), lr_scheduler.__name__, name, "scheduler_cfg.scheduler")
    if "metrics" in inspect.signature(scheduler.step).parameters:
        raise ConfigError(f"scheduler_cfg.scheduler: {name} steps on a metric, but schedules step every iteration.")
    return scheduler


@functools.cache
def optimizer_arguments() -> frozenset[str]:
    """Return the arguments of all optimisers, since OpenGait's files may contain those of another solver."""
    return _arguments(_classes(torch.optim, Optimizer))


@functools.cache
def scheduler_arguments() -> frozenset[str]:
    """Return the arguments of all schedules, except `steps_per_epoch`, which is a key of the engine."""
    return _arguments(_schedules()) - {"steps_per_epoch"}


def build_optimizer(parameters: Iterable[tuple[str, torch.nn.Parameter]], cfg: dict[str, Any]) -> Optimizer:
    """Build the optimiser of `optimizer_cfg` (`solver` and its arguments) over the parameters that require a gradient.

    `groups` gives some parameters their own settings; the first entry whose `match` is part of a name applies. An empty
    `match` takes all that are left, and an `optional` entry may match nothing:

        solver: AdamW
        lr: 0.001
        groups:
          - {match: Backbone., lr: 0.0001}
          - {match: mask_encoder, lr: 0.05, optional: true}

    Args:
        parameters: as `module.named_parameters()` yields them.

    Raises:
        ConfigError: the solver is missing or unknown, there is nothing to train, an argument is invalid, or a group is
            empty.
    """
    if "solver" not in cfg:
        raise ConfigError("optimizer_cfg.solver is missing; name a class of torch.optim, such as SGD.")
    solver = optimizer_class(cfg["solver"])
    trained = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
    if not trained:
        raise ConfigError("The model has no parameter that requires a gradient, so there is nothing to train.")
    groups = _parameter_groups(trained, cfg.get("groups") or [])
    arguments = accepted_arguments(solver, cfg, ["solver", "groups"])
    if all(parameter.is_cuda and parameter.is_floating_point() for _, parameter in trained):
        arguments |= fused(solver, arguments, groups)
    optimizer: Optimizer = _construct(solver, (groups,), arguments, "optimizer_cfg")
    mend_momentum(optimizer)
    return optimizer


def _parameter_groups(
    trained: list[tuple[str, torch.nn.Parameter]], groups: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return torch's parameter groups: the remaining parameters first, then those of `groups`."""
    left, matched = list(trained), []
    for index, group in enumerate(groups):
        if not isinstance(group, dict) or not isinstance(group.get("match"), str):
            raise ConfigError(f"optimizer_cfg.groups.{index}: expected a dict with `match`, got {group!r}.")
        members = [entry for entry in left if group["match"] in entry[0]]
        if not members and not group.get("optional"):
            raise ConfigError(f"optimizer_cfg.groups.{index}: no parameter's name contains {group['match']!r}.")
        left = [entry for entry in left if group["match"] not in entry[0]]
        settings = {key: value for key, value in group.items() if key not in ("match", "optional")}
        if members:
            matched.append({"params": [parameter for _, parameter in members], **settings})
    rest = [{"params": [parameter for _, parameter in left]}] if left else []
    # The rest comes first, since the log shows the learning rate of the first group.
    return rest + matched


def build_scheduler(optimizer: Optimizer, cfg: dict[str, Any]) -> Any:
    """Build the schedule of `scheduler_cfg` (`scheduler` and its arguments); it steps every iteration.

    With `steps_per_epoch` it steps once per that many iterations instead, so its arguments count epochs. `OneCycleLR`
    has an argument of this name and always counts iterations:

        scheduler: MultiStepLR
        steps_per_epoch: 300
        milestones: [40, 70]

    Composite schedules take `schedulers`, a list of such dicts. A warm-up before a decay:

        scheduler: SequentialLR
        milestones: [500]
        schedulers:
          - {scheduler: LinearLR, start_factor: 0.01, total_iters: 500}
          - {scheduler: CosineAnnealingLR, T_max: 19500}

    Raises:
        ConfigError: the scheduler is missing or unknown, or an argument is invalid.
    """
    scheduler = _scheduler(optimizer, cfg, "scheduler_cfg")
    if "steps_per_epoch" not in cfg or "steps_per_epoch" in argument_names(scheduler_class(cfg["scheduler"])):
        return scheduler
    return EpochSchedule(scheduler, cfg["steps_per_epoch"])


def _scheduler(optimizer: Optimizer, cfg: dict[str, Any], key: str) -> Any:
    if "scheduler" not in cfg:
        raise ConfigError(f"{key}.scheduler is missing; name one of torch.optim.lr_scheduler, such as MultiStepLR.")
    kind = scheduler_class(cfg["scheduler"])
    arguments = accepted_arguments(kind, cfg, ["scheduler", "steps_per_epoch"])
    if cfg["scheduler"] not in COMPOSITES:
        return _construct(kind, (optimizer,), arguments, key)
    parts = cfg.get("schedulers")
    if not isinstance(parts, list) or not parts:
        raise ConfigError(f"{key}.schedulers is missing; {cfg['scheduler']} combines a list of schedulers.")
    arguments["schedulers"] = [
        _scheduler(optimizer, part, f"{key}.schedulers.{index}") for index, part in enumerate(parts)
    ]
    if "optimizer" in inspect.signature(kind.__init__).parameters:
        arguments["optimizer"] = optimizer
    return _construct(kind, (), arguments, key)


class EpochSchedule:
    """A schedule that steps once per epoch of `steps` iterations; the learning rate is constant in between.

    Args:
        scheduler: the schedule, whose arguments count epochs.
        steps: iterations per epoch, `scheduler_cfg.steps_per_epoch`.

    Raises:
        ConfigError: `steps` is not a positive integer.
    """

    def __init__(self, scheduler: Any, steps: int) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ConfigError(f"scheduler_cfg.steps_per_epoch: expected a positive integer, got {steps!r}.")
        self.scheduler = scheduler
        self.steps = steps
        self.iteration = 0

    def step(self) -> None:
        """Count an iteration, and step the schedule at the end of an epoch."""
        self.iteration += 1
        if self.iteration % self.steps == 0:
            self.scheduler.step()

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of every parameter group, as the schedule last set it."""
        return self.scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """Return the number of iterations and the state of the schedule."""
        return {"iteration": self.iteration, "scheduler": self.scheduler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`.

        Raises:
            KeyError: the state belongs to a schedule without epochs.
        """
        self.iteration = state["iteration"]
        self.scheduler.load_state_dict(state["scheduler"])


def _construct(kind: type, first: tuple[Any, ...], arguments: dict[str, Any], key: str) -> Any:
    try:
        return kind(*first, **arguments)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        given = {name: value for name, value in arguments.items() if name not in ("optimizer", "schedulers")}
        raise ConfigError(f"{key}: {kind.__name__} rejects {given}: {' '.join(str(error).split())}") from error


def _classes(module: Any, base: type) -> dict[str, type]:
    return {n: v for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, base) and v is not base}


def _schedules() -> dict[str, type]:
    return _classes(lr_scheduler, lr_scheduler.LRScheduler) | {WarmupCosineLR.__name__: WarmupCosineLR}


def _arguments(classes: dict[str, type]) -> frozenset[str]:
    return frozenset(name for kind in classes.values() for name in argument_names(kind))


def _named(known: dict[str, type], owner: str, name: str, key: str) -> Any:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4) or sorted(known)
    raise ConfigError(f"{key}: {owner} has no {name!r}; did you mean {' or '.join(near)}?")
