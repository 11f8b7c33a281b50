"""The message manager: the log, TensorBoard, and a log line per interval (upstream `get_msg_mgr`).

Only rank 0 logs; on other ranks `get_msg_mgr()` returns an object whose methods do nothing.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid

from opengait import distributed
from opengait.utils.containers import NoOp, Odict
from opengait.utils.files import plain
from opengait.utils.log_handlers import LAYOUT, Early, File, InFull, Screen, without_tensorboard
from opengait.utils.progress import Progress
from opengait.utils.sinks import Sink
from opengait.utils.tensors import ts2np


class MessageManager:
    """Log and TensorBoard of one run.

    `init_logger` prepares the log, which suffices for testing; `init_manager` prepares TensorBoard too. Nothing is
    written to the run folder before `begin`. `train_step` is called once per iteration with `info`, whose `scalar/...`
    entries are averaged over the logging interval, and with `summary`, whose latest `scalar/...` and `image/...`
    entries are written to TensorBoard.
    """

    def __init__(self) -> None:
        self.info_dict = Odict()
        self.writer_hparams = ["image", "scalar"]
        self.writer: SummaryWriter | None = None
        self._progress: Progress | None = None
        self.iteration = self._continues = 0
        self.log_iter = 100
        self._learning_rate: float | None = None
        self.time = time.time()
        self.logger = logging.getLogger("opengait")
        self._summary: Path | None = None
        self._log_folder: Path | None = None
        self._before: Callable[[], None] | None = None
        self._results: list[logging.LogRecord] | None = None
        self._open_sinks: Callable[[], list[Sink]] | None = None
        self._sinks: list[Sink] = []

    def hold(self) -> None:
        """Keep records until `init_logger` opens the log. Before `hold`, the program's logging setup applies."""
        self._take_over(Early())

    def init_manager(self, save_path: str | Path, log_to_file: bool, log_iter: int, iteration: int = 0) -> None:
        """Prepare the log, and TensorBoard under `<save_path>/summary`; events after `iteration` are purged."""
        self.iteration = self._continues = iteration
        self.log_iter = log_iter
        self.info_dict.clear()
        self.init_logger(save_path, log_to_file)
        self._summary = Path(save_path) / "summary"

    def init_logger(self, save_path: str | Path, log_to_file: bool) -> None:
        """Log to the screen at once and, with `log_to_file`, to `<save_path>/logs/<time>.txt` from `begin` on."""
        if self.writer is not None:
            self.writer.close()
        self.writer = self._summary = None
        self._log_folder = Path(save_path) / "logs" if log_to_file else None
        early = [handler for handler in self.logger.handlers if isinstance(handler, Early)]
        screen = Screen()
        screen.setFormatter(logging.Formatter(*LAYOUT))
        self._take_over(screen, *([Early()] if log_to_file else []))
        for record in (record for handler in early for record in handler.records):
            self.logger.handle(record)

    def use_sinks(self, names: Sequence[str], save_path: str | Path, config: Mapping[str, Any]) -> None:
        """Have `begin` open the named trackers (`opengait.utils.sinks`); they get the numbers that TensorBoard gets."""
        folder, content = Path(save_path), plain(config)
        self._open_sinks = lambda: [Sink(name, folder, content, self.log_warning) for name in names]

    def close_sinks(self) -> None:
        """Let the trackers send what is left."""
        sinks, self._sinks, self._open_sinks = self._sinks, [], None
        for sink in sinks:
            sink.close()

    def on_begin(self, action: Callable[[], None]) -> None:
        """Have `begin` call `action` before it writes anything."""
        self._before = action

    def begin(self) -> None:
        """Open the files of the run, once it has something to write: its first iteration or its results.

        Training loops that do not call it begin with their first line.
        """
        before, self._before = self._before, None
        if before is not None:
            before()
        if self._log_folder is not None:
            folder, self._log_folder = self._log_folder, None
            folder.mkdir(parents=True, exist_ok=True)
            file = File(folder / f"{datetime.now():%Y-%m-%d-%H-%M-%S}.txt", encoding="utf-8", errors="backslashreplace")
            file.setFormatter(InFull(*LAYOUT))
            for early in [handler for handler in self.logger.handlers if isinstance(handler, Early)]:
                self.logger.removeHandler(early)
                for record in early.records:
                    file.handle(record)
            self.logger.addHandler(file)
        if self._summary is not None:
            threading.excepthook = without_tensorboard(threading.excepthook)
            self._summary.mkdir(parents=True, exist_ok=True)
            self.writer, self._summary = SummaryWriter(str(self._summary), purge_step=self._continues + 1), None
        if self._open_sinks is not None:
            open_sinks, self._open_sinks = self._open_sinks, None
            self._sinks = open_sinks()

    @contextmanager
    def results_last(self) -> Iterator[None]:
        """Show what is logged in `evaluating` at the end of the block, below the facts about the measurement."""
        self._results = []
        try:
            yield
        finally:
            results, self._results = self._results, None
            for record in results:
                self.logger.handle(record)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Hold what an evaluator logs back until the end of `results_last`, if that is in use."""
        results = self._results

        def keep(record: logging.LogRecord) -> bool:
            if results is None:
                return True
            results.append(record)
            return False

        self.logger.addFilter(keep)
        try:
            yield
        finally:
            self.logger.removeFilter(keep)

    def close(self) -> None:
        """Close TensorBoard and the log; the program's logging setup applies again."""
        self._summary = self._log_folder = self._before = None
        self.close_sinks()
        if self.writer is not None:
            self.writer.close()
        self._take_over()
        self.logger.propagate = True

    def _take_over(self, *handlers: logging.Handler) -> None:
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        for old in list(self.logger.handlers):
            self.logger.removeHandler(old)
            old.close()
        for handler in handlers:
            self.logger.addHandler(handler)

    def log_info(self, *messages: Any) -> None:
        """Log at level INFO."""
        self.logger.info(*messages)

    def log_summary(self, summary: str, whole: str) -> None:
        """Log a long text in the file, and its summary on the screen."""
        self.logger.info(summary, extra={"whole": whole})

    def log_warning(self, *messages: Any) -> None:
        """Log at level WARNING."""
        self.logger.warning(*messages)

    def log_debug(self, *messages: Any) -> None:
        """Log at level DEBUG, which is hidden by default."""
        self.logger.debug(*messages)

    def track_progress(self, progress: Progress | None) -> None:
        """Add the times of `progress` to the log lines; None stops doing so."""
        self._progress = progress

    def reset_time(self) -> None:
        """Restart the clock of the logging interval."""
        self.time = time.time()

    def append(self, info: dict[str, Any]) -> None:
        """Collect an iteration's values, which are averaged over the interval.

        Tensors stay on their device until the line is written, since fetching them at every step would stall a GPU.
        """
        self.info_dict.append(
            {key: [value.detach() if isinstance(value, torch.Tensor) else value] for key, value in info.items()}
        )

    def flush(self) -> None:
        """Clear the interval and write TensorBoard's events to disk."""
        self.info_dict.clear()
        if self.writer is not None:
            with self._curves_may_fail():
                self.writer.flush()

    def log_training_info(self) -> None:
        """Log `Iteration 00100, Cost 12.34s, triplet_loss=0.6507, ...`, exactly as OpenGait does, for scripts to read.

        A second line contains the learning rate, times, total loss, progress, memory and time left.
        """
        now = time.time()
        text = f"Iteration {self.iteration:0>5}, Cost {now - self.time:.2f}s"
        for key, values in self.info_dict.items():
            kind, _, name = key.partition("/")
            if kind == "scalar":
                text += f", {name.replace('/', '_')}={np.mean([np.mean(_as_array(value)) for value in values]):.4f}"
        self.log_info(text)
        fields = [] if self._learning_rate is None else [f"lr={self._learning_rate:.3g}"]
        if self._progress is not None:
            fields.append(self._progress.fields())
        if fields:
            self.log_info(", ".join(fields))
        self.reset_time()

    def train_step(self, info: dict[str, Any], summary: dict[str, Any]) -> None:
        """Count an iteration; every `log_iter` iterations, log the line and write the current summary."""
        self.iteration += 1
        self.append(info)
        if self.iteration % self.log_iter == 0:
            self.begin()
            rate = summary.get("scalar/learning_rate")
            self._learning_rate = None if rate is None else float(rate)
            self.log_training_info()
            self.write_to_tensorboard(summary)
            self.flush()

    def write_to_tensorboard(self, summary: dict[str, Any]) -> None:
        """Write `scalar/<tag>` (its mean) and `image/<tag>` ([n, c, h, w], as a grid of individually scaled images).

        Trackers beside TensorBoard get the scalars.
        """
        self._write_to_sinks(summary)
        if self.writer is None:
            return
        with self._curves_may_fail():
            for key, value in summary.items():
                kind, _, tag = key.partition("/")
                if kind == "scalar":
                    self.writer.add_scalar(tag, float(np.mean(_as_array(value))), self.iteration)
                elif kind == "image":
                    images = torch.as_tensor(value).detach().float().cpu()
                    self.writer.add_image(tag, make_grid(images, normalize=True, scale_each=True), self.iteration)
                else:
                    self.log_warning(f"Not Expected --Summary-- type [{key}] appear!!!{self.writer_hparams}")

    def _write_to_sinks(self, summary: dict[str, Any]) -> None:
        if self._sinks:
            tags = [key for key in summary if key.startswith("scalar/")]
            numbers = {tag.removeprefix("scalar/"): float(np.mean(_as_array(summary[tag]))) for tag in tags}
            for sink in self._sinks:
                sink.write(numbers, self.iteration)

    @contextmanager
    def _curves_may_fail(self) -> Iterator[None]:
        """Give TensorBoard up where its files cannot be written, since a run is worth more than its curves."""
        try:
            yield
        except OSError as error:
            self.writer = None
            self.log_warning(f"TensorBoard's files can no longer be written: {error.strerror or error}.")


def _as_array(value: Any) -> np.ndarray:
    return ts2np(value) if isinstance(value, torch.Tensor) else np.asarray(value)


class _Silent(NoOp):
    """The manager of the other ranks."""

    results_last = evaluating = staticmethod(contextlib.nullcontext)


# The only mutable global of the engine, so that the messages of all modules go to one log.
_manager: MessageManager | None = None
_silent = _Silent()


def get_msg_mgr() -> MessageManager | NoOp:
    """Return the message manager on rank 0, and a silent one on the other ranks."""
    global _manager
    if not distributed.is_main():
        return _silent
    if _manager is None:
        _manager = MessageManager()
    return _manager


def reset() -> None:
    """Close the message manager; the next call of `get_msg_mgr` creates a new one."""
    global _manager
    if _manager is not None:
        _manager.close()
    _manager = None
