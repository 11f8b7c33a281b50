"""Base class and helpers of the losses."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from opengait import distributed
from opengait.utils.containers import Odict


class BaseLoss(nn.Module):
    """Base class of the losses (upstream `BaseLoss`).

    `forward(**kwargs)` returns `(loss, info)`: a loss of any shape, whose mean the engine weights and sums, and
    `self.info`, detached values to log.

    Args:
        loss_term_weight: factor of this loss in the sum.
    """

    def __init__(self, loss_term_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_term_weight = loss_term_weight
        self.info = Odict()

    def forward(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return a loss of 0 on the first argument; subclasses override this with their own arguments."""
        first = next(iter((*args, *kwargs.values())))
        return first.float().sum() * 0.0, self.info


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """Convert half precision to float32, since losses sum many terms; return other types unchanged."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def gather_and_scale_wrapper(forward: Callable[..., tuple[torch.Tensor, Any]]) -> Callable[..., Any]:
    """Compute a loss over the rows of all ranks (upstream `gather_and_scale_wrapper`).

    Tensors among the keyword arguments are concatenated over the ranks, where a rank's own rows keep their gradient;
    positional arguments are left unchanged. The loss is multiplied by the world size: each rank's gradient covers only
    its own rows, and distributed training averages gradients over ranks. The factor turns that average into a sum, the
    gradient of the loss over the whole batch.
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
