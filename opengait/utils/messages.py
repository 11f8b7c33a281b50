"""The message manager: log lines, TensorBoard, and the line of each logging interval (upstream `get_msg_mgr`).

Only rank 0 speaks; elsewhere `get_msg_mgr()` is an object on which every call does nothing.
"""

import logging
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid
from tqdm import tqdm

from opengait import distributed
from opengait.utils.containers import NoOp, Odict
from opengait.utils.progress import Progress
from opengait.utils.tensors import ts2np

_FORMAT = logging.Formatter("[%(asctime)s] [%(levelname)s]: %(message)s", "%Y-%m-%d %H:%M:%S")


class _Early(logging.Handler):
    """Keeps what is said before the log has a place, such as what discovery found."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class _Screen(logging.Handler):
    """Writes above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class MessageManager:
    """Log and TensorBoard of one run.

    `init_logger` opens the log (all that a test needs); `init_manager` opens TensorBoard too. `train_step` is called
    once an iteration with `info`, whose `scalar/...` entries are averaged over the logging interval, and `summary`,
    whose latest `scalar/...` and `image/...` entries go to TensorBoard.
    """

    def __init__(self) -> None:
        self.info_dict = Odict()
        self.writer_hparams = ["image", "scalar"]
        self.writer: SummaryWriter | None = None
        self._progress: Progress | None = None
        self.iteration = 0
        self.log_iter = 100
        self._learning_rate: float | None = None
        self.time = time.time()
        self.logger = logging.getLogger("opengait")

    def hold(self) -> None:
        """Keep what is said until `init_logger` opens the log. Without a log, logging does what the program set up."""
        self._take_over(_Early())

    def init_manager(self, save_path: str | Path, log_to_file: bool, log_iter: int, iteration: int = 0) -> None:
        """Open TensorBoard under `<save_path>/summary` and the log; events after `iteration` are purged."""
        self.iteration = iteration
        self.log_iter = log_iter
        self.info_dict.clear()
        if self.writer is not None:
            self.writer.close()
        folder = Path(save_path) / "summary"
        folder.mkdir(parents=True, exist_ok=True)
        self.writer = SummaryWriter(str(folder), purge_step=iteration)
        self.init_logger(save_path, log_to_file)

    def init_logger(self, save_path: str | Path, log_to_file: bool) -> None:
        """Log to the screen and, on demand, to `<save_path>/logs/<time>.txt`."""
        early = [handler for handler in self.logger.handlers if isinstance(handler, _Early)]
        handlers: list[logging.Handler] = [_Screen()]
        if log_to_file:
            folder = Path(save_path) / "logs"
            folder.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(folder / f"{datetime.now():%Y-%m-%d-%H-%M-%S}.txt"))
        for handler in handlers:
            handler.setFormatter(_FORMAT)
        self._take_over(*handlers)
        for record in (record for handler in early for record in handler.records):
            self.logger.handle(record)

    def _take_over(self, *handlers: logging.Handler) -> None:
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        for old in list(self.logger.handlers):
            self.logger.removeHandler(old)
            old.close()
        for handler in handlers:
            self.logger.addHandler(handler)

    def log_info(self, *messages: Any) -> None:
        """Say something that belongs to the run."""
        self.logger.info(*messages)

    def log_warning(self, *messages: Any) -> None:
        """Say something that may need a look."""
        self.logger.warning(*messages)

    def log_debug(self, *messages: Any) -> None:
        """Say something for a debugger; hidden at the ordinary level."""
        self.logger.debug(*messages)

    def track_progress(self, progress: Progress | None) -> None:
        """Add the times and the time left of `progress` to the lines of the intervals; None ends that."""
        self._progress = progress

    def reset_time(self) -> None:
        """Start the interval's clock anew."""
        self.time = time.time()

    def append(self, info: dict[str, Any]) -> None:
        """Collect an iteration's values for the interval's means.

        Tensors stay on their device until the line is written: fetching them at every step would stall a GPU.
        """
        self.info_dict.append(
            {key: [value.detach() if isinstance(value, torch.Tensor) else value] for key, value in info.items()}
        )

    def flush(self) -> None:
        """Forget the interval and write TensorBoard's events to disk."""
        self.info_dict.clear()
        if self.writer is not None:
            self.writer.flush()

    def log_training_info(self) -> None:
        """`Iteration 00100, Cost 12.34s, triplet_loss=0.6507, ...`, exactly as OpenGait has it, since scripts read it.

        A line of its own follows, with learning rate, times, memory and time left.
        """
        now = time.time()
        text = f"Iteration {self.iteration:0>5}, Cost {now - self.time:.2f}s"
        for key, values in self.info_dict.items():
            kind, _, name = key.partition("/")
            if kind == "scalar":
                text += f", {name.replace('/', '_')}={np.mean([np.mean(_as_array(value)) for value in values]):.4f}"
        self.log_info(text)
        course = [] if self._learning_rate is None else [f"lr={self._learning_rate:.3g}"]
        if self._progress is not None:
            course.append(self._progress.fields())
        if course:
            self.log_info(", ".join(course))
        self.reset_time()

    def train_step(self, info: dict[str, Any], summary: dict[str, Any]) -> None:
        """Count an iteration; every `log_iter` of them print the line and write the current summary."""
        self.iteration += 1
        self.append(info)
        if self.iteration % self.log_iter == 0:
            rate = summary.get("scalar/learning_rate")
            self._learning_rate = None if rate is None else float(rate)
            self.log_training_info()
            self.write_to_tensorboard(summary)
            self.flush()

    def write_to_tensorboard(self, summary: dict[str, Any]) -> None:
        """Write `scalar/<tag>` (its mean) and `image/<tag>` ([n, c, h, w], as a grid scaled image by image)."""
        if self.writer is None:
            return
        for key, value in summary.items():
            kind, _, tag = key.partition("/")
            if kind == "scalar":
                self.writer.add_scalar(tag, float(np.mean(_as_array(value))), self.iteration)
            elif kind == "image":
                images = torch.as_tensor(value).detach().float().cpu()
                self.writer.add_image(tag, make_grid(images, normalize=True, scale_each=True), self.iteration)
            else:
                self.log_warning(f"Not Expected --Summary-- type [{key}] appear!!!{self.writer_hparams}")


def _as_array(value: Any) -> np.ndarray:
    return ts2np(value) if isinstance(value, torch.Tensor) else np.asarray(value)


_manager: MessageManager | None = None
_silence = NoOp()


def get_msg_mgr() -> MessageManager | NoOp:
    """The one message manager on rank 0; a silent one on every other rank."""
    global _manager
    if not distributed.is_main():
        return _silence
    if _manager is None:
        _manager = MessageManager()
    return _manager
