"""Where log records go: screen, file, or nowhere yet."""

import contextlib
import logging
import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

LAYOUT = "[%(asctime)s] [%(levelname)s]: %(message)s", "%Y-%m-%d %H:%M:%S"


class InFull(logging.Formatter):
    """Formats the whole text of a record whose message is a summary for the screen."""

    def format(self, record: logging.LogRecord) -> str:
        whole = getattr(record, "whole", None)
        return super().format(logging.makeLogRecord(vars(record) | ({"msg": whole, "args": ()} if whole else {})))


class Early(logging.Handler):
    """Keeps records until the log that they belong to is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Screen(logging.Handler):
    """Writes to stderr without breaking a progress bar; a closed terminal or pipe does not end the run."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):
            tqdm.write(self.format(record), file=sys.stderr)


class File(logging.FileHandler):
    """Writes to a file, and says once on the screen if that fails."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        logger = logging.getLogger("opengait")
        logger.removeHandler(self)
        logger.warning("The log can no longer be written to %s: %s.", self.baseFilename, sys.exc_info()[1])


def without_tensorboard(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return an excepthook of threads that leaves out TensorBoard's, whose errors its next write raises again."""

    def report(failure: Any) -> None:
        if not type(failure.thread).__module__.startswith("tensorboard"):
            hook(failure)

    return report
