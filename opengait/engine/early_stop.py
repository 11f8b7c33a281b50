"""The decision that a training ends because its tests no longer improve."""

from collections.abc import Mapping, Sequence
from typing import Any

from opengait.errors import ConfigError


class EarlyStop:
    """The tests of a run so far, and whether the last ones are reason to end it.

    Args:
        metric: a test's number, larger for a better one, by its name in TensorBoard, such as `infrared_to_visible/map`;
            of several, their mean counts.
        patience: the training ends after this many tests in a row that are no better than the best before them.
        state: `state_dict()` of the run that is continued; ignored if it is about another metric.

    Attributes:
        tests: iteration and value of each test, in order.

    Raises:
        ConfigError: `metric` is empty.
    """

    def __init__(self, metric: str | Sequence[str], patience: int, state: Mapping[str, Any] | None = None) -> None:
        names = [metric] if isinstance(metric, str) else list(metric)
        self.metric = [name.removeprefix("scalar/") for name in names]
        if not self.metric:
            raise ConfigError("trainer_cfg.early_stop.metric: expected the name of a number of the tests, got none.")
        self.patience = patience
        continued = state is not None and state["metric"] == self.metric
        self.tests: list[tuple[int, float]] = [tuple(test) for test in state["tests"]] if state and continued else []

    @property
    def best(self) -> tuple[int, float] | None:
        """Iteration and value of the best test, the first of equal ones; None before the first."""
        return max(self.tests, key=lambda test: (test[1] == test[1], test[1]), default=None)

    @property
    def over(self) -> bool:
        """Whether none of the last `patience` tests was better than the best before them."""
        return self.best is not None and self.tests_since_best >= self.patience

    @property
    def tests_since_best(self) -> int:
        """Number of tests after the best one."""
        return len(self.tests) - 1 - self.tests.index(self.best) if self.best else 0

    def record(self, iteration: int, value: float) -> None:
        """Add a test."""
        self.tests.append((iteration, value))

    def value_of(self, numbers: Mapping[str, float]) -> float:
        """Return the metric of a test.

        Args:
            numbers: `scalar/<name>` and values of the test.

        Raises:
            ConfigError: it has no number of that name.
        """
        missing = [name for name in self.metric if f"scalar/{name}" not in numbers]
        if missing:
            known = ", ".join(sorted(name.removeprefix("scalar/") for name in numbers)) or "none"
            raise ConfigError(
                f"trainer_cfg.early_stop.metric: the test has no {missing[0]!r}; the numbers it has: {known}."
            )
        return float(sum(numbers[f"scalar/{name}"] for name in self.metric) / len(self.metric))

    def state_dict(self) -> dict[str, Any]:
        """Return metric and tests, as plain values."""
        return {"metric": self.metric, "tests": [list(test) for test in self.tests]}

    def text(self) -> str:
        """Return a sentence about the last test."""
        metric, (iteration, value) = " and ".join(self.metric), self.tests[-1]
        assert self.best is not None
        if self.best[0] == iteration:
            return f"Early stop: {metric} is {value:.4f}, the best so far."
        return (
            f"Early stop: {metric} is {value:.4f}; the best, {self.best[1]:.4f} at iteration {self.best[0]}, was "
            f"{self.tests_since_best} of {self.patience} tests ago."
        )
