"""From what a model returns for training to one number, and the values to log (upstream `LossAggregator`)."""

from typing import Any

import torch
from torch import nn

from opengait import registry
from opengait.errors import ConfigError
from opengait.utils.arguments import accepted_arguments
from opengait.utils.containers import Odict


class UnknownLossError(ConfigError, ValueError):
    """A model gives arguments for a loss that `loss_cfg` does not have."""


class LossAggregator(nn.Module):
    """Feeds each loss what the model returns under its name, and adds the results up.

    Args:
        loss_cfg: one dict or a list: `type`, `log_prefix` (the name in the model's `training_feat`),
            `loss_term_weight`, and the loss's own arguments.

    Raises:
        ConfigError: an entry has no `type` or `log_prefix`, or two share a `log_prefix`.
    """

    def __init__(self, loss_cfg: dict[str, Any] | list[dict[str, Any]]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict()
        for place, cfg in enumerate([loss_cfg] if isinstance(loss_cfg, dict) else loss_cfg):
            for key in ("type", "log_prefix"):
                if key not in cfg:
                    raise ConfigError(f"loss_cfg.{place} has no `{key}`.")
            prefix = cfg["log_prefix"]
            if prefix in self.losses or not isinstance(prefix, str) or "." in prefix:
                raise ConfigError(f"loss_cfg.{place}.log_prefix {prefix!r} must be a name of its own without a dot.")
            self.losses[prefix] = _build(cfg, place)

    def forward(self, training_feat: dict[str, Any]) -> tuple[torch.Tensor, Odict]:
        """The sum of the losses, and their values to log.

        Args:
            training_feat: log_prefix -> dict of that loss's arguments; or any other name -> a loss, already weighted,
                whose mean is added.

        Returns:
            The loss, a scalar: sum of mean(loss) · loss_term_weight; and `scalar/<name>/<value>` -> value.

        Raises:
            UnknownLossError: arguments for a loss that `loss_cfg` does not have.
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
                    f"{', '.join(self.losses) or '(none)'}; add it there."
                )
            else:
                loss = value.mean()
                info[f"scalar/{name}"] = loss
                total = total + loss
        if not isinstance(total, torch.Tensor):
            raise ConfigError("The model returned no loss: its training_feat is empty.")
        return total, info


def _build(cfg: dict[str, Any], place: int) -> nn.Module:
    kind = registry.losses.get(cfg["type"])
    arguments = accepted_arguments(kind, cfg, ["type", "log_prefix", "gather_and_scale"])
    try:
        return kind(**arguments)
    except TypeError as error:
        raise ConfigError(f"loss_cfg.{place}: {cfg['type']} refuses {arguments}: {error}") from error
