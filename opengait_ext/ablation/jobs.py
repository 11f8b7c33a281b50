"""The trainings that a table needs: one job per row and seed, each with its own configuration and folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from opengait.config import config_text, load_config
from opengait.config.source import read_yaml
from opengait.engine.run_folder import checkpoints_of, output_path
from opengait.errors import ConfigError
from opengait.shipped import SHIPPED
from opengait.utils.files import write_text
from opengait_ext.ablation.tables import Row
from opengait_ext.runs.results import read_test

ROWS = SHIPPED / "configs/ablation"
# Masks lie beside the dataset, in one folder per network if there are several.
MASKS = "{root}-masks"
HITSZ_MASKS = "data/HITSZ-VCM-masks"


@dataclass(frozen=True)
class DataSet:
    """A dataset that rows can be trained on.

    Attributes:
        title: name for messages.
        config: configuration of the whole network, relative to the project; rows are applied over it.
        root: folder of each seed's own data; None for the folder that the configuration names.
        masks: folder of given masks.
    """

    title: str
    config: str
    root: str | None = None
    masks: str = MASKS


DATA = {
    "synthetic": DataSet(
        "the synthetic data", "configs/ablation/synthetic.yaml", "output/demo/data/seed-{seed}", "{root}/silhouettes"
    ),
    "hitsz": DataSet("HITSZ-VCM", "configs/dinogrl/hitsz.yaml"),
    "bupt": DataSet("BUPTCampus", "configs/dinogrl/bupt.yaml"),
}


@dataclass(frozen=True, eq=False)
class Job:
    """One training and test.

    Attributes:
        row: name of the row.
        seed: seed of the training, and of the data where each seed has its own.
        folder: holds all that the run writes.
        config: the resolved configuration.
    """

    row: str
    seed: int
    folder: Path
    config: Mapping[str, Any]

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
        """Log file of the training and the test."""
        return self.folder / "log.txt"

    @property
    def total(self) -> int:
        """Number of training iterations."""
        return self.config["trainer_cfg"]["total_iter"]

    @property
    def run_folder(self) -> Path:
        """Folder that the engine writes the run into."""
        return output_path(dict(self.config), True)

    @property
    def result_file(self) -> Path:
        """File of the test's results, written when it ends."""
        return self.run_folder / f"logs/test-{self.total:05d}.json"

    @property
    def done(self) -> bool:
        """True once the run has been tested."""
        return self.result_file.is_file()

    def newest_checkpoint(self) -> int:
        """Return the iteration of the newest checkpoint; 0 if there is none."""
        return max(checkpoints_of(self.run_folder), default=0)

    def results(self) -> dict[str, Any]:
        """Return the content of the result file.

        Raises:
            DataError: the file cannot be read.
        """
        return read_test(self.result_file)

    def check(self) -> None:
        """Check that the folder is free for this run.

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


def plan_jobs(rows: Iterable[Row], data: str, seeds: Sequence[int], out: Path, overrides: Sequence[str]) -> list[Job]:
    """Return a job for each row and seed, all rows of a seed before the next seed; equal networks are trained once.

    Args:
        rows: rows that exist on the dataset `data`, a key of `DATA`.
        out: runs are written to `<out>/<data>/<row>/seed-<n>`.
        overrides: `section.key=value`, applied to the dataset's configuration below each row.

    Raises:
        ConfigError: an override names an unknown key.
    """
    by_name = {row.name: row for row in rows}
    # Seeds share their files, which take far longer to read than to adapt.
    load = cache(load_config)
    return [
        Job(name, seed, folder, compose(row, DATA[data], seed, folder, overrides, load))
        for seed in seeds
        for name, row in by_name.items()
        for folder in [out / data / name / f"seed-{seed}"]
    ]


def compose(
    row: Row,
    data: DataSet,
    seed: int,
    folder: Path,
    overrides: Sequence[str],
    load: Callable[..., dict[str, Any]] = load_config,
) -> dict[str, Any]:
    """Return the configuration of a row on a dataset: that of the dataset, overridden, and the row's file over it.

    `load` is `load_config`, which may return the same object again.
    """
    file = ROWS / f"{row.config}.yaml"
    weights = [f"loss_cfg.{loss}.loss_term_weight={weight}" for loss, weight in row.weights.items()]
    config = dict(load(SHIPPED / data.config, (*overrides, *weights), (file,)))
    config |= {name: dict(config[name]) for name in ("data_cfg", "trainer_cfg", "evaluator_cfg")}
    section = config["data_cfg"]
    if data.root is not None:
        section["dataset_root"] = data.root.format(seed=seed)
    section.pop("mask_root", None)
    if (masks := load(file)["data_cfg"].get("mask_root")) is not None:
        # The file names HITSZ-VCM's masks; use those of this dataset, or of the folder given on the command line.
        root = load(SHIPPED / data.config, tuple(overrides))["data_cfg"].get("mask_root")
        root = root or data.masks.format(root=section["dataset_root"])
        section["mask_root"] = masks.replace(HITSZ_MASKS, root, 1)
    config["trainer_cfg"] |= {"seed": seed, "output_root": str(folder), "save_name": row.name}
    config["evaluator_cfg"] |= {
        "save_name": row.name,
        "restore_hint": config["trainer_cfg"]["total_iter"],
        "save_features": True,
    }
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
