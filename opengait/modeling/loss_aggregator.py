"""Weighted sum of a model's losses, and the values to log (upstream `LossAggregator`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from opengait import registry
from opengait.engine.run_state import RunState
from opengait.errors import ConfigError
from opengait.modeling.loss_weights import WeightSchedule
from opengait.utils.arguments import accepted_arguments
from opengait.utils.containers import Odict

# Keys of an entry that are not arguments of its loss; upstream's files have the third.
_OWN_KEYS = ["type", "log_prefix", "gather_and_scale", "begin_iter", "trains", "weight_schedule"]


class UnknownLossError(ConfigError, ValueError):
    """A model returns arguments for a loss that `loss_cfg` does not list."""


@dataclass(frozen=True)
class Use:
    """When a loss is used, for what, and how much it counts.

    Attributes:
        begin: the first iteration, counted from 0.
        trains: module of the critic that it trains (`opengait.engine.critics`); None for the model.
        schedule: a factor of its weight that changes; None for a constant weight.
    """

    begin: int
    trains: str | None
    schedule: WeightSchedule | None


class LossAggregator(nn.Module):
    """Calls each loss with the arguments that the model returns under its name, and sums the results.

    A loss that has not begun is not called.

    Args:
        loss_cfg: one dict or a list: `type`, `log_prefix` (the name in the model's `training_feat`),
            `loss_term_weight`, `weight_schedule`, `begin_iter`, `trains`, and the arguments of the loss.
        run_state: holds the iteration, which a `begin_iter` or `weight_schedule` needs.

    Raises:
        ConfigError: an entry has no `type`, `log_prefix` or `weight_schedule` that is valid, two share a `log_prefix`,
            or one needs the iteration, but there is no `run_state`.
    """

    def __init__(self, loss_cfg: dict[str, Any] | list[dict[str, Any]], run_state: RunState | None = None) -> None:
        super().__init__()
        self.losses = nn.ModuleDict()
        self.uses: dict[str, Use] = {}
        self.run_state = run_state or RunState()
        for index, cfg in enumerate([loss_cfg] if isinstance(loss_cfg, dict) else loss_cfg):
            for key in ("type", "log_prefix"):
                if key not in cfg:
                    raise ConfigError(f"loss_cfg.{index} has no `{key}`.")
            prefix = cfg["log_prefix"]
            if prefix in self.losses or not isinstance(prefix, str) or "." in prefix:
                raise ConfigError(f"loss_cfg.{index}.log_prefix: expected a unique name without a dot, got {prefix!r}.")
            self.losses[prefix] = _build(cfg, index)
            schedule = WeightSchedule.from_config(cfg.get("weight_schedule"), f"loss_cfg.{index}.weight_schedule")
            self.uses[prefix] = Use(cfg.get("begin_iter") or 0, cfg.get("trains"), schedule)
            if (self.uses[prefix].begin or schedule) and run_state is None:
                key = "weight_schedule" if schedule else "begin_iter"
                raise ConfigError(f"loss_cfg.{index}.{key}: the model gives its losses no iteration; remove the key.")

    def forward(self, training_feat: dict[str, Any]) -> tuple[torch.Tensor, Odict]:
        """Return the sum of the model's losses, and their values to log.

        Args:
            training_feat: maps a log_prefix to the arguments of that loss, and any other name to a loss that is
                already weighted, whose mean is added.

        Returns:
            The loss, a scalar: sum of mean(loss) · loss_term_weight · the schedule's weight; and
            `scalar/<name>/<value>` -> value, with the schedule's weight as `weight`.

        Raises:
            UnknownLossError: the model returns arguments for a loss that `loss_cfg` does not list.
            ConfigError: there is no loss, or none has begun.
        """
        total: Any = 0.0
        info = Odict()
        for name, value in training_feat.items():
            if self._is_used(name, None):
                total = total + self._term(name, value, info)
            elif isinstance(value, dict) and name not in self.losses:
                raise UnknownLossError(
                    f"The model returns arguments for the loss {name!r}, but loss_cfg has only the log_prefix "
                    f"{', '.join(self.losses) or '(none)'}; add the loss to loss_cfg."
                )
            elif name not in self.losses:
                loss = value.mean()
                info[f"scalar/{name}"] = loss
                total = total + loss
        if not isinstance(total, torch.Tensor):
            begun = "is empty" if not training_feat else f"has no loss that trains it at {self.run_state.iteration}"
            raise ConfigError(f"The model returned no loss: its training_feat {begun}.")
        return total, info

    def critic_loss(self, training_feat: dict[str, Any], critic: str) -> tuple[torch.Tensor | None, Odict]:
        """Return the sum of a critic's losses, whose arguments are detached, and their values to log.

        Returns:
            As `forward`; the sum is None if no loss has begun.
        """
        total: Any = None
        info = Odict()
        for name, value in training_feat.items():
            if self._is_used(name, critic):
                detached = {key: _detached(argument) for key, argument in value.items()}
                term = self._term(name, detached, info)
                total = term if total is None else total + term
        return total, info

    def _is_used(self, name: str, trains: str | None) -> bool:
        use = self.uses.get(name)
        return use is not None and use.trains == trains and use.begin <= self.run_state.iteration

    def _term(self, name: str, arguments: Mapping[str, Any], info: Odict) -> torch.Tensor:
        """Return a weighted loss, a scalar, and add its values to `info`."""
        loss_module = self.losses[name]
        loss, values = loss_module(**arguments)
        for key, number in values.items():
            info[f"scalar/{name}/{key}"] = number
        weighted: torch.Tensor = loss.mean() * getattr(loss_module, "loss_term_weight", 1.0)
        schedule = self.uses[name].schedule
        if schedule is not None:
            weight = schedule(self.run_state.iteration)
            info[f"scalar/{name}/weight"] = weight
            weighted = weighted * weight
        return weighted


def _detached(argument: Any) -> Any:
    return argument.detach() if isinstance(argument, torch.Tensor) else argument


def _build(cfg: dict[str, Any], index: int) -> nn.Module:
    kind = registry.losses.get(cfg["type"])
    arguments = accepted_arguments(kind, cfg, _OWN_KEYS)
    try:
        loss: nn.Module = kind(**arguments)
    except TypeError as error:
        raise ConfigError(f"loss_cfg.{index}: {cfg['type']} rejects {arguments}: {error}") from error
    return loss
