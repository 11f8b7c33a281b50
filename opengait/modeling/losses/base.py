"""What every loss of the engine is: a module that returns the loss and what to log about it."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from opengait import distributed
from opengait.utils.containers import Odict


class BaseLoss(nn.Module):
    """Base of the losses (upstream `BaseLoss`).

    `forward(**kwargs)` returns `(loss, info)`: the loss of any shape, whose mean the engine weights and adds, and
    `self.info`, detached numbers to log.

    Args:
        loss_term_weight: factor of this loss in the sum.
    """

    def __init__(self, loss_term_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_term_weight = loss_term_weight
        self.info = Odict()

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """A loss that is always 0; subclasses replace it."""
        del labels
        return logits.float().sum() * 0.0, self.info


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """Half precision as float32, since losses sum many terms; anything else as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def gather_and_scale_wrapper(forward: Callable[..., tuple[torch.Tensor, Any]]) -> Callable:
    """Let a loss see the rows of every rank (upstream `gather_and_scale_wrapper`).

    Every tensor among the keyword arguments is concatenated over the ranks (own rows keep their gradient), positional
    ones are left alone, and the loss is multiplied by the world size. Each rank's gradient holds the part of its own
    rows, and distributed training averages gradients over ranks; the factor cancels that average, so that the result
    is the gradient of the loss over the whole batch.
    """

    @functools.wraps(forward)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, Any]:
        gathered = {
            name: distributed.gather_rows(value) if isinstance(value, torch.Tensor) else value
            for name, value in kwargs.items()
        }
        loss, info = forward(*args, **gathered)
        return loss * distributed.world_size(), info

    return wrapped
