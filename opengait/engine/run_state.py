"""Progress and origin of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class RunState:
    """Counters and origin of one run; every model of the engine owns one as `run_state`.

    Attributes:
        iteration: completed training iterations; steps that mixed precision skips do not count.
        batches_drawn: batches taken from the training loader, including those of skipped steps.
        rank_states: random state of every rank at the last checkpoint, in rank order; empty in a new run.
        restored_from: the checkpoint that was loaded, or None.
        restored_iteration: the iteration stored in that checkpoint, or None.
        capsule: JSON file that describes the run (`opengait.engine.capsule`), or None.
        early_stop: tests that the early stop has compared (`opengait.engine.early_stop`), or None.
        test_seconds: time that the last test took to load the tracklets and extract their features, or None.
    """

    iteration: int = 0
    batches_drawn: int = 0
    rank_states: Sequence[dict[str, Any]] = ()
    restored_from: Path | None = None
    restored_iteration: int | None = None
    capsule: Path | None = None
    early_stop: dict[str, Any] | None = None
    test_seconds: float | None = None

    def to_checkpoint(self, iteration: int) -> dict[str, Any]:
        """Return the run's entries of the checkpoint of `iteration`."""
        entries = {"iteration": iteration, "batches_drawn": self.batches_drawn, "rank_states": list(self.rank_states)}
        return entries if self.early_stop is None else {**entries, "early_stop": self.early_stop}

    def restored(self, path: Path, content: dict[str, Any]) -> None:
        """Record that the weights came from the checkpoint `content`, read from `path`."""
        self.restored_from, self.restored_iteration = path, content.get("iteration")

    def resume(self, content: dict[str, Any]) -> None:
        """Continue at `iteration` with a checkpoint's counters; OpenGait's have none, so one batch per step."""
        self.batches_drawn = content.get("batches_drawn", self.iteration)
        self.rank_states = content.get("rank_states", [])
        self.early_stop = content.get("early_stop")
