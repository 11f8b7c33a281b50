"""Weighted sum of a model's losses, and the values to log (upstream `LossAggregator`)."""

from typing import Any

import torch
from torch import nn

from opengait import registry
from opengait.errors import ConfigError
from opengait.utils.arguments import accepted_arguments
from opengait.utils.containers import Odict


class UnknownLossError(ConfigError, ValueError):
    """A model returns arguments for a loss that `loss_cfg` does not list."""


class LossAggregator(nn.Module):
    """Calls each loss with the arguments that the model returns under its name, and sums the results.

    Args:
        loss_cfg: one dict or a list: `type`, `log_prefix` (the name in the model's `training_feat`),
            `loss_term_weight`, and the arguments of the loss.

    Raises:
        ConfigError: an entry has no `type` or no valid `log_prefix`, or two share a `log_prefix`.
    """

    def __init__(self, loss_cfg: dict[str, Any] | list[dict[str, Any]]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict()
        for index, cfg in enumerate([loss_cfg] if isinstance(loss_cfg, dict) else loss_cfg):
            for key in ("type", "log_prefix"):
                if key not in cfg:
                    raise ConfigError(f"loss_cfg.{index} has no `{key}`.")
            prefix = cfg["log_prefix"]
            if prefix in self.losses or not isinstance(prefix, str) or "." in prefix:
                raise ConfigError(f"loss_cfg.{index}.log_prefix: expected a unique name without a dot, got {prefix!r}.")
            self.losses[prefix] = _build(cfg, index)

    def forward(self, training_feat: dict[str, Any]) -> tuple[torch.Tensor, Odict]:
        """Return the sum of the losses, and their values to log.

        Args:
            training_feat: maps a log_prefix to the arguments of that loss, and any other name to a loss that is
                already weighted, whose mean is added.

        Returns:
            The loss, a scalar: sum of mean(loss) · loss_term_weight; and `scalar/<name>/<value>` -> value.

        Raises:
            UnknownLossError: the model returns arguments for a loss that `loss_cfg` does not list.
        """
        total: Any = 0.0
        info = Odict()
        for name, value in training_feat.items():
            if name in self.losses:
                loss_module = self.losses[name]
                loss, values = loss_module(**value)
                for key, number in values.items():
                    info[f"scalar/{name}/{key}"] = number
                total = total + loss.mean() * getattr(loss_module, "loss_term_weight", 1.0)
            elif isinstance(value, dict):
                raise UnknownLossError(
                    f"The model returns arguments for the loss {name!r}, but loss_cfg has only the log_prefix "
                    f"{', '.join(self.losses) or '(none)'}; add the loss to loss_cfg."
                )
            else:
                loss = value.mean()
                info[f"scalar/{name}"] = loss
                total = total + loss
        if not isinstance(total, torch.Tensor):
            raise ConfigError("The model returned no loss: its training_feat is empty.")
        return total, info


def _build(cfg: dict[str, Any], index: int) -> nn.Module:
    kind = registry.losses.get(cfg["type"])
    arguments = accepted_arguments(kind, cfg, ["type", "log_prefix", "gather_and_scale"])
    try:
        loss: nn.Module = kind(**arguments)
    except TypeError as error:
        raise ConfigError(f"loss_cfg.{index}: {cfg['type']} rejects {arguments}: {error}") from error
    return loss
