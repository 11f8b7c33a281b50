"""Learning-rate schedules that torch does not have."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class WarmupCosineLR(LRScheduler):
    """A linear warm-up from a fixed rate, then a cosine that counts from the start of the training, not of itself.

    For a group of rate r: start + (r - start) t / warmup in the first `warmup` steps t, then
    eta_min + (r - eta_min) (1 + cos(pi t / T_max)) / 2 up to step `T_max`, and eta_min from there on. `start` and
    `eta_min` are rates of all groups, whatever theirs are, so those of higher rates rise and fall more steeply.

    Args:
        optimizer: the optimiser.
        warmup: steps of the warm-up.
        T_max: steps from the start of the training to the lowest rate.
        start: the rate of the first step.
        eta_min: the lowest rate.
        last_epoch: the last step, -1 at the start.

    Raises:
        ValueError: the warm-up does not end before `T_max`, or a number is negative.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: int,
        T_max: int,  # noqa: N803 (torch's name)
        start: float = 0.0,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if min(warmup, start, eta_min) < 0 or warmup >= T_max:
            raise ValueError(
                f"expected 0 <= warmup < T_max and rates of at least 0, got warmup {warmup}, T_max {T_max}, "
                f"start {start}, eta_min {eta_min}"
            )
        self.warmup, self.T_max, self.start, self.eta_min = warmup, T_max, start, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the rate of each group at this step."""
        step = self.last_epoch
        if step < self.warmup:
            return [self.start + (rate - self.start) * step / self.warmup for rate in self.base_lrs]
        share = (1 + math.cos(math.pi * min(step, self.T_max) / self.T_max)) / 2
        return [self.eta_min + (rate - self.eta_min) * share for rate in self.base_lrs]
