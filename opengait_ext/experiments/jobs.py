"""Jobs: processes that run one after another and write into one folder."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengait.config import config_text
from opengait.config.source import read_yaml
from opengait.engine.run_folder import checkpoint_path, checkpoints_of, output_path
from opengait.errors import ConfigError
from opengait.utils.files import write_text
from opengait_ext.runs.results import read_test


@dataclass(frozen=True)
class Step:
    """One process of a job.

    Attributes:
        name: what it does, for messages.
        module: the module that is run, such as `opengait_ext`; None for the engine, on all devices of the job.
        arguments: its command line.
    """

    name: str
    module: str | None
    arguments: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Job(ABC):
    """Work that writes into one folder.

    Attributes:
        row: name of the row that it is for.
        seed: seed of the training, and of the data where each seed has its own.
        folder: holds all that the job writes.
        config: the resolved configuration.
        needs: jobs whose results it reads.
    """

    row: str
    seed: int
    folder: Path
    config: Mapping[str, Any]
    needs: tuple["Job", ...] = field(default=(), kw_only=True)

    @property
    def title(self) -> str:
        """Name for messages."""
        return f"{self.row}, seed {self.seed}"

    @property
    def config_file(self) -> Path:
        """File of the configuration, for `--cfgs`."""
        return self.folder / "config.yaml"

    @property
    def log(self) -> Path:
        """Log file of all processes."""
        return self.folder / "log.txt"

    @abstractmethod
    def steps(self) -> Iterator[Step]:
        """Yield the unfinished steps in order; each is decided on when the one before has ended."""

    @property
    def done(self) -> bool:
        """True once every step has ended well."""
        return next(self.steps(), None) is None

    def check(self) -> None:
        """Check that the folder is free for this job.

        Raises:
            ConfigError: the folder holds a run with another configuration.
        """
        if not self.config_file.is_file():
            return
        difference = first_difference(read_yaml(self.config_file)[0], dict(self.config))
        if difference is not None:
            raise ConfigError(
                f"{self.folder} holds a run with other settings ({difference}); remove it, or choose another --out."
            )

    def write_config(self) -> None:
        """Write the configuration into the folder."""
        write_text(self.config_file, config_text(dict(self.config)))


@dataclass(frozen=True, eq=False)
class Run(Job):
    """One training and test.

    Attributes:
        cost: also measure the network's parameters and operations.
    """

    cost: bool = field(default=False, kw_only=True)

    @property
    def total(self) -> int:
        """Number of training iterations."""
        return int(self.config["trainer_cfg"]["total_iter"])

    @property
    def run_folder(self) -> Path:
        """Folder that the engine writes the run into."""
        return output_path(dict(self.config), True)

    @property
    def checkpoint(self) -> Path:
        """File of the trained network."""
        return checkpoint_path(self.run_folder, self.config["trainer_cfg"]["save_name"], self.total)

    @property
    def result_file(self) -> Path:
        """File of the test's results, written when it ends."""
        return self.run_folder / f"logs/test-{self.total:05d}.json"

    @property
    def cost_file(self) -> Path:
        """File of the dry run's report."""
        return self.folder / "cost.json"

    @property
    def tested(self) -> bool:
        """True once the test's results exist."""
        return self.result_file.is_file()

    def steps(self) -> Iterator[Step]:
        """Yield the training, from its newest checkpoint, the test, and the measurement of the cost."""
        if not self.tested:
            newest = self.newest_checkpoint()
            if newest < self.total:
                yield self._engine("train", *(["--iter", str(newest)] if newest else []))
            yield self._engine("test", "--iter", str(self.total))
        if self.cost and not self.cost_file.is_file():
            arguments = ("--cfgs", str(self.config_file), "--out", str(self.cost_file))
            yield Step("dry run", "opengait.dry_run", arguments)

    def newest_checkpoint(self) -> int:
        """Return the iteration of the newest checkpoint; 0 if there is none."""
        return max(checkpoints_of(self.run_folder), default=0)

    def results(self) -> dict[str, Any]:
        """Return the content of the result file.

        Raises:
            DataError: the file cannot be read.
        """
        return read_test(self.result_file)

    def _engine(self, phase: str, *more: str) -> Step:
        return Step(phase, None, ("--cfgs", str(self.config_file), "--phase", phase, *more))


def as_run(config: dict[str, Any], name: str, seed: int, folder: Path) -> dict[str, Any]:
    """Return a configuration for one run: its seed, its folder, its name, and a test of the last iteration.

    The descriptors are saved, from which figures and statistics over queries are computed.
    """
    config["trainer_cfg"] |= {"seed": seed, "output_root": str(folder), "save_name": name}
    last = config["trainer_cfg"]["total_iter"]
    config["evaluator_cfg"] |= {"save_name": name, "restore_hint": last, "save_features": True}
    return config


def first_difference(first: Any, second: Any, at: str = "") -> str | None:
    """Return the first difference of two configurations, such as "trainer_cfg.seed is 0 and 1", or None."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in dict.fromkeys([*first, *second]):
            difference = first_difference(first.get(key), second.get(key), f"{at}.{key}" if at else str(key))
            if difference is not None:
                return difference
        return None
    return None if first == second else f"{at} is {first!r} and {second!r}"
