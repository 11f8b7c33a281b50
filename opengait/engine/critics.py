"""Critics: parts of a model with an optimiser and losses of their own, such as an adversarial classifier."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from opengait import distributed
from opengait.engine.contract import EngineModel
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.errors import ConfigError
from opengait.utils.containers import Odict

_CONSTANT = {"scheduler": "ConstantLR", "factor": 1.0}


class Critic:
    """A part of a model that its own optimiser trains, a step ahead of the model in every iteration.

    Its losses are the entries of `loss_cfg` that name it in `trains`. They run the critic themselves, in full
    precision, on arguments that are detached from the model. Outside its step the critic's parameters require no
    gradient: losses of the model may pass through the critic, which has taken its step by then, without training it,
    and neither the model's optimiser nor DDP handles them.

    Args:
        module: the part.
        cfg: its entry of `critic_cfg`: `module`, its name in the model; `optimizer_cfg`; `scheduler_cfg`, by default a
            constant learning rate.

    Attributes:
        name, cfgs, optimizer, scheduler: as configured; `cfgs` has `optimizer_cfg` and `scheduler_cfg`, as a model's.
        parameters: what the optimiser trains.
    """

    def __init__(self, module: nn.Module, cfg: Mapping[str, Any]) -> None:
        self.name: str = cfg["module"]
        self.cfgs = {"optimizer_cfg": cfg["optimizer_cfg"], "scheduler_cfg": cfg.get("scheduler_cfg") or _CONSTANT}
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.optimizer = build_optimizer(module.named_parameters(), self.cfgs["optimizer_cfg"])
        self.scheduler = build_scheduler(self.optimizer, self.cfgs["scheduler_cfg"])
        self._require_gradients(False)

    def _require_gradients(self, required: bool) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(required)

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Let the parameters require gradients, while the critic's losses are computed."""
        self._require_gradients(True)
        try:
            yield
        finally:
            self._require_gradients(False)

    def step(self, loss: torch.Tensor) -> None:
        """Take an optimiser step with the gradients of `loss`, averaged over the ranks as DDP's are.

        A parameter that the loss does not reach has a gradient of zero.
        """
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        dense = [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, gradients, strict=True)]
        flat = distributed.mean_over_ranks(torch.cat([gradient.flatten() for gradient in dense]))
        parts = flat.split([parameter.numel() for parameter in self.parameters])
        for parameter, gradient in zip(self.parameters, parts, strict=True):
            parameter.grad = gradient.view_as(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad()


def build_critics(model: nn.Module, critic_cfg: Any) -> list[Critic]:
    """Build the critics of `critic_cfg`, an entry or a list of entries, and stop their parameters' gradients.

    Raises:
        ConfigError: an entry has no `module` or `optimizer_cfg`, two name the same module, or the model has none of
            that name with parameters to train.
    """
    parts = dict(model.named_modules())
    critics: list[Critic] = []
    for index, cfg in enumerate(_entries(critic_cfg)):
        for key in ("module", "optimizer_cfg"):
            if key not in cfg:
                raise ConfigError(f"critic_cfg.{index} has no `{key}`.")
        name = cfg["module"]
        if name not in parts or not any(parameter.requires_grad for parameter in parts[name].parameters()):
            raise ConfigError(
                f"critic_cfg.{index}.module: {type(model).__name__} has no part {name!r} with parameters of its own to "
                f"train; expected the name of one, such as {', '.join(child for child, _ in model.named_children())}."
            )
        critics.append(Critic(parts[name], cfg))
    return critics


def _entries(critic_cfg: Any) -> list[Mapping[str, Any]]:
    return [critic_cfg] if isinstance(critic_cfg, Mapping) else list(critic_cfg or [])


def check_losses(critics: Sequence[Critic], trained: Mapping[str, str | None]) -> None:
    """Check that every critic has a loss, and every loss trains the model or a critic.

    Args:
        critics: the model's critics.
        trained: what each loss trains, by log_prefix; None is the model.

    Raises:
        ConfigError: one does not.
    """
    names = [critic.name for critic in critics]
    for prefix, target in trained.items():
        if target is not None and target not in names:
            known = f"{', '.join(names)}, or null for the model" if names else "null, since there is no critic_cfg"
            raise ConfigError(f"The loss {prefix!r} trains {target!r}, but critic_cfg has no such module; use {known}.")
    for name in names:
        if name not in trained.values():
            raise ConfigError(f"No loss of loss_cfg trains the critic {name!r}; add `trains: {name}` to one.")


def train_critics(model: EngineModel, training_feat: dict[str, Any], *, learn: bool = True) -> tuple[Any, Odict]:
    """Take a step of each critic whose losses have begun.

    Args:
        model: the model, in training.
        training_feat: as its forward pass returns it.
        learn: take the steps; otherwise only compute the losses.

    Returns:
        The sum of the critics' losses, detached, which is the number 0 without critics; and the values to log.
    """
    total: Any = 0.0
    info = Odict()
    for critic in model.critics:
        with critic.learning():
            loss, values = model.loss_aggregator.critic_loss(training_feat, critic.name)
            if loss is None:
                continue
            if learn:
                critic.step(loss)
        total = total + loss.detach()
        info.update(values)
    return total, info
