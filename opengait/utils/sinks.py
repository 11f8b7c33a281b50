"""Curves beside TensorBoard: the numbers of a run for other trackers, none of which can end a training."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opengait.errors import ConfigError

# The modules, which are named as their packages are; all have `init`, `log` and `finish`.
SINKS = ("wandb", "trackio")


def check_sinks(names: Sequence[str]) -> None:
    """Check that the packages of `trainer_cfg.sinks` are installed, without importing them.

    Raises:
        ConfigError: one is unknown or not installed.
    """
    for name in names:
        if name not in SINKS:
            raise ConfigError(f"trainer_cfg.sinks: expected names of {', '.join(SINKS)}, got {name!r}.")
        if not _is_installed(name):
            raise ConfigError(f"trainer_cfg.sinks names {name}, which is not installed; run: pip install {name}")


def _is_installed(name: str) -> bool:
    if name in sys.modules:
        return True
    spec = importlib.util.find_spec(name)
    # A mere folder of that name, such as the one that wandb writes, has no origin.
    return spec is not None and spec.origin is not None


class Sink:
    """A tracker that gets the numbers of one run; whatever it raises ends in one warning.

    Args:
        name: one of `SINKS`.
        folder: the run folder, `.../<dataset>/<model>/<run>`, which names the project and the run.
        config: the configuration of the run, of plain values.
        warn: logs a warning.
    """

    def __init__(self, name: str, folder: Path, config: Mapping[str, Any], warn: Callable[[str], None]) -> None:
        self.name = name
        self._warn = warn
        self._module: Any = None
        # Neither takes slashes or punctuation in the name of a project.
        project = re.sub(r"[^\w.-]+", "-", "-".join(folder.parts[-3:-1])) or "opengait"

        def start() -> None:
            module = importlib.import_module(name)
            module.init(project=project, name=folder.name, config=dict(config))
            self._module = module

        self._attempt(start)

    def write(self, numbers: Mapping[str, float], iteration: int) -> None:
        """Send the numbers of an iteration, by their TensorBoard tags."""
        if self._module is not None:
            self._attempt(lambda: self._module.log(dict(numbers), step=iteration))

    def close(self) -> None:
        """Send what is left, at the end of the run."""
        if self._module is not None:
            self._attempt(lambda: self._module.finish())
        self._module = None

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        # A tracker may fail in any way: no network, no login, a full disk. wandb's own exit is one, too.
        except (Exception, SystemExit) as error:
            self._module = None
            reason = " ".join(str(error).split()) or type(error).__name__
            self._warn(f"{self.name} gets no more numbers of this run, which goes on: {reason[:300]}")
