"""Timing of a training run: loading, computing and remaining time."""

import sys
import time
from datetime import timedelta

import torch
from tqdm import tqdm

from opengait import distributed
from opengait.utils.memory import peak_memory


class Progress:
    """Measures loading and computing times, and shows a progress bar on a terminal.

    Args:
        total: iterations of the whole run.
        done: iterations completed before this process started.
        bar: draw a bar on stderr if that is a terminal; the periodic log lines contain the same information.

    Attributes:
        first: iterations completed before this process started.
        seconds: time of loading and computing so far.
    """

    def __init__(self, total: int, done: int = 0, bar: bool = True) -> None:
        self.total = total
        self.done = self.first = done
        self.seconds = 0.0
        self._began = self._marked = time.perf_counter()
        self._data_seconds = self._step_seconds = 0.0
        self._steps = 0
        self._loss: torch.Tensor | None = None
        hidden = not (bar and sys.stderr.isatty())
        self._bar = tqdm(total=total, initial=done, desc="Training", unit="it", leave=False, disable=hidden)

    def loaded(self) -> None:
        """Record that a batch was loaded."""
        seconds = self._lap()
        self._data_seconds += seconds
        self.seconds += seconds

    def stepped(self, iteration: int, loss: torch.Tensor | None = None) -> None:
        """Record that a step with this total loss was computed or skipped, after which `iteration` ones are done."""
        seconds = self._lap()
        self._step_seconds += seconds
        self.seconds += seconds
        self._steps += 1
        if loss is not None:
            # Summed on the device, since reading it would make every step wait.
            self._loss = loss.detach().mean() + (0.0 if self._loss is None else self._loss)
        self._bar.update(iteration - self.done)
        self.done = iteration

    def resumed(self) -> None:
        """Ignore the time since the step, since logging, saving and testing are neither loading nor computing."""
        self._lap()

    def seconds_left(self) -> float:
        """Estimate the seconds to the end from the mean pace since this process started; 0 before the first step."""
        gained = self.done - self.first
        return (time.perf_counter() - self._began) / gained * (self.total - self.done) if gained else 0.0

    def fields(self) -> str:
        """Return `data=0.010s, step=0.120s, loss=6.2831, 300 of 2000, memory=1.20GB, left=0:12:34`.

        Times and loss are means since the last call, memory is the peak of the device or, on the CPU, of the process.
        """
        steps = max(self._steps, 1)
        texts = [f"data={self._data_seconds / steps:.3f}s", f"step={self._step_seconds / steps:.3f}s"]
        if self._loss is not None:
            texts.append(f"loss={float(self._loss) / steps:.4f}")
        texts += [f"{self.done} of {self.total}", f"memory={peak_memory(distributed.device()) / 2**30:.2f}GB"]
        texts.append(f"left={timedelta(seconds=round(self.seconds_left()))}")
        self._data_seconds = self._step_seconds = 0.0
        self._steps = 0
        self._loss = None
        return ", ".join(texts)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def _lap(self) -> float:
        now = time.perf_counter()
        seconds, self._marked = now - self._marked, now
        return seconds
