"""Weights of losses that change during a training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opengait.errors import ConfigError


@dataclass(frozen=True)
class WeightSchedule:
    """A half cosine from one weight to another: w(i) = end + (begin - end) (1 + cos(pi i / iterations)) / 2.

    A pure function of the iteration i, so a resumed run has the weights of one that was not stopped. It is constant
    within `step` iterations, whose first counts, and from `iterations` on.

    Args:
        begin: the weight at first.
        end: the weight at last.
        iterations: the length.
        step: iterations with the same weight.
    """

    begin: float
    end: float
    iterations: int
    step: int = 1

    @classmethod
    def from_config(cls, cfg: Mapping[str, Any] | None, name: str) -> "WeightSchedule | None":
        """Return the schedule of a loss's `weight_schedule`; None for a constant weight.

        Raises:
            ConfigError: it lacks a key, has an unknown one, or counts iterations that are not positive; the message
                starts with `name`.
        """
        if cfg is None:
            return None
        try:
            schedule = cls(**cfg)
            valid = min(schedule.iterations, schedule.step) >= 1
        except TypeError:
            valid = False
        if not valid:
            raise ConfigError(
                f"{name}: expected begin, end, iterations and perhaps step, such as {{begin: 0.5, end: 0.25, "
                f"iterations: 100 epochs}}, got {cfg!r}."
            )
        return schedule

    def __call__(self, iteration: int) -> float:
        """Return the weight at an iteration, counted from 0."""
        passed = min(iteration // self.step * self.step, self.iterations)
        return self.end + (self.begin - self.end) * (1 + math.cos(math.pi * passed / self.iterations)) / 2
