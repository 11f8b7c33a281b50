"""Tests on the way through a training."""

from typing import Any

from torch import nn

from opengait import distributed
from opengait.engine.checkpoint import checkpoint_path, random_state, set_random_state
from opengait.engine.contract import engine_model
from opengait.engine.early_stop import EarlyStop
from opengait.engine.results import numbers_of, write_results
from opengait.errors import ConfigError


class InterimTests:
    """The tests of a training, every `test_iter` iterations and at the end, and whether they end it early.

    Args:
        model: a `BaseModel` in training, wrapped in DDP or not.

    Raises:
        ConfigError: `early_stop` is configured without tests or without a metric.
    """

    def __init__(self, model: nn.Module) -> None:
        inner = engine_model(model)
        cfg = inner.engine_cfg
        self.model, self.inner = model, inner
        self.last = cfg["total_iter"]
        self.interval: int = (cfg["test_iter"] or cfg["save_iter"]) if cfg["with_test"] else 0
        self.early_stop: EarlyStop | None = None
        if cfg["early_stop"] is not None:
            if not self.interval:
                raise ConfigError("trainer_cfg.early_stop needs tests; set trainer_cfg.with_test: true.")
            state = inner.run_state.early_stop
            self.early_stop = EarlyStop(cfg["early_stop"]["metric"], cfg["early_stop"]["patience"], state)
            if state is not None and state["metric"] != self.early_stop.metric:
                ours, theirs = (" and ".join(metric) for metric in (self.early_stop.metric, state["metric"]))
                inner.msg_mgr.log_warning(
                    f"trainer_cfg.early_stop.metric is {ours}, but the tests so far were compared by {theirs}; they do "
                    f"not count."
                )
        elif cfg["test_iter"] and not self.interval:
            inner.msg_mgr.log_warning("trainer_cfg.test_iter has no effect without trainer_cfg.with_test: true.")

    @property
    def over(self) -> bool:
        """Whether the training ends early: the same answer on all ranks."""
        return self.early_stop is not None and self.early_stop.over

    def due(self, iteration: int) -> bool:
        """Return whether `iteration` is tested."""
        return bool(self.interval) and (iteration == self.last or iteration % self.interval == 0)

    def catch_up(self) -> None:
        """Repeat the test of the iteration that a run continues from, whose checkpoint was written before it."""
        iteration = self.inner.iteration
        if self.early_stop is not None and iteration and self.due(iteration):
            self.run()
        elif self.over:
            self._log_end()

    def run(self) -> None:
        """Evaluate with the model's `run_test`, leaving the random streams of the training unchanged.

        Raises:
            ConfigError: the test does not have the number that the early stop is about.
        """
        numbers, early_stop = self._evaluate(), self.early_stop
        if early_stop is None:
            return
        # Other ranks have no numbers.
        early_stop.record(self.inner.iteration, distributed.on_main(lambda: early_stop.value_of(numbers)))
        self.inner.run_state.early_stop = early_stop.state_dict()
        self.inner.msg_mgr.log_info(early_stop.text())
        if self.over and self.inner.iteration < self.last:
            self._log_end()

    def _log_end(self) -> None:
        assert self.early_stop is not None and self.early_stop.best is not None
        file = checkpoint_path(self.inner.save_path, self.inner.engine_cfg["save_name"], self.early_stop.best[0])
        self.inner.msg_mgr.log_info(
            f"Stopped early at iteration {self.inner.iteration} of {self.last}; the best checkpoint is {file}."
        )

    def _evaluate(self) -> dict[str, float]:
        """Return the numbers of a test on rank 0; none on other ranks, or if the model's own test returns none."""
        inner, numbers = self.inner, {}
        inner.msg_mgr.log_info("Running test...")
        inner.eval()
        state = random_state()
        with inner.msg_mgr.results_last():
            result = inner.run_test(self.model)
            if distributed.is_main() and isinstance(result, dict):
                numbers = scalars(numbers_of(result))
                inner.msg_mgr.write_to_tensorboard(numbers)
                path = checkpoint_path(inner.save_path, inner.engine_cfg["save_name"], inner.iteration)
                write_results(inner, result, path)
        set_random_state(state)
        inner.train()
        if inner.engine_cfg["fix_BN"]:
            inner.fix_BN()
        inner.msg_mgr.reset_time()
        return numbers


def scalars(result: dict[str, Any], prefix: str = "scalar") -> dict[str, float]:
    """Return an evaluator's numbers, nested or not, under `scalar/...` tags for TensorBoard.

    An array under an upstream tag, as `evaluate_CCPG` returns, becomes its mean; other non-numeric values are skipped.
    """
    numbers: dict[str, float] = {}
    for key, value in result.items():
        tag = str(key) if str(key).startswith(f"{prefix}/") else f"{prefix}/{key}"
        axes: int = getattr(value, "ndim", 0)
        if isinstance(value, dict):
            numbers.update(scalars(value, tag))
        elif axes == 0 and not isinstance(value, str | list | tuple):
            numbers[tag] = float(value)
        elif tag == key and axes and len(value):
            numbers[tag] = float(value.mean())
    return numbers
