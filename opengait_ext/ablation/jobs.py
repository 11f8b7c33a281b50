"""What has to be trained for a table: one job a row and seed, each with a configuration and a folder of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.config import config_text, load_config
from opengait.config.source import read_yaml
from opengait.errors import ConfigError
from opengait.modeling.base_model import output_path
from opengait.utils.files import write_text
from opengait_ext.ablation.merge import carry_over, first_difference
from opengait_ext.ablation.tables import Row
from opengait_ext.runs.results import read_test

PROJECT = Path(__file__).resolve().parents[2]
ROWS = PROJECT / "configs/ablation"
# What the files of configs/ablation are changes of.
PAPER = PROJECT / "configs/dinogrl/hitsz.yaml"


# Beside the data set; the rows that read masks of several networks name a folder below.
MASKS = "{root}-masks"


@dataclass(frozen=True)
class DataSet:
    """Data that rows can be trained on.

    Attributes:
        title: its name in sentences.
        config: what the whole network is trained with there, relative to the project.
        root: where each seed has data of its own; None where the configuration says.
        masks: where given masks are.
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
        seed: of the training, and of the data where every seed has its own.
        folder: everything that the run writes.
        config: the resolved configuration.
    """

    row: str
    seed: int
    folder: Path
    config: Mapping[str, Any]

    @property
    def title(self) -> str:
        """For messages."""
        return f"{self.row}, seed {self.seed}"

    @property
    def config_file(self) -> Path:
        """The configuration as a file, for `--cfgs`."""
        return self.folder / "config.yaml"

    @property
    def log(self) -> Path:
        """What the training and the test print."""
        return self.folder / "log.txt"

    @property
    def total(self) -> int:
        """Iterations of the training."""
        return self.config["trainer_cfg"]["total_iter"]

    @property
    def run_folder(self) -> Path:
        """The engine's folder of the run."""
        return output_path(dict(self.config), True)

    @property
    def result_file(self) -> Path:
        """The test's numbers, once they are there."""
        return self.run_folder / f"logs/test-{self.total:05d}.json"

    @property
    def done(self) -> bool:
        """Whether the run has been tested."""
        return self.result_file.is_file()

    def newest_checkpoint(self) -> int:
        """The iteration of the newest checkpoint; 0 if there is none."""
        found = [file.stem.rpartition("-")[2] for file in (self.run_folder / "checkpoints").glob("*.pt")]
        return max((int(text) for text in found if text.isdigit()), default=0)

    def results(self) -> dict[str, Any]:
        """The content of the test's file.

        Raises:
            DataError: it cannot be read.
        """
        return read_test(self.result_file)

    def check(self) -> None:
        """See whether the folder is free for this run.

        Raises:
            ConfigError: it holds a run of another configuration.
        """
        if not self.config_file.is_file():
            return
        found = first_difference(read_yaml(self.config_file)[0], dict(self.config))
        if found is not None:
            raise ConfigError(
                f"{self.folder} holds a run with other settings ({found}); remove it, or choose another --out."
            )

    def write_config(self) -> None:
        """Write the configuration into the folder."""
        write_text(self.config_file, config_text(dict(self.config)))


def plan_jobs(rows: Iterable[Row], data: str, seeds: Sequence[int], out: Path, overrides: Sequence[str]) -> list[Job]:
    """A job for each row and seed, all rows of a seed before the next seed; rows that are the same network once.

    Args:
        rows: of the data set `data`, a key of `DATA`.
        out: runs go into `<out>/<data>/<row>/seed-<n>`.
        overrides: `section.key=value`, over every configuration.

    Raises:
        ConfigError: an override names nothing.
    """
    several = {row.name: row for row in rows}
    return [
        Job(name, seed, folder, compose(row, DATA[data], seed, folder, overrides))
        for seed in seeds
        for name, row in several.items()
        for folder in [out / data / name / f"seed-{seed}"]
    ]


def compose(row: Row, data: DataSet, seed: int, folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration of a row on a data set: what the row changes in the paper's is changed in the data set's."""
    paper, changed = load_config(PAPER), load_config(ROWS / f"{row.config}.yaml")
    onto = load_config(PROJECT / data.config, overrides)
    config = carry_over(paper, changed, onto)
    for loss in config["loss_cfg"]:
        if loss["log_prefix"] in row.weights:
            loss["loss_term_weight"] = row.weights[loss["log_prefix"]]
    section = config["data_cfg"]
    if data.root is not None:
        section["dataset_root"] = data.root.format(seed=seed)
    # Masks that are named on the command line are for the rows that read masks.
    section.pop("mask_root", None)
    if (masks := changed["data_cfg"].get("mask_root")) is not None:
        own = onto["data_cfg"].get("mask_root") or data.masks.format(root=section["dataset_root"])
        section["mask_root"] = masks.replace(MASKS.format(root=paper["data_cfg"]["dataset_root"]), own, 1)
    config["trainer_cfg"] |= {"seed": seed, "output_root": str(folder), "save_name": row.name}
    config["evaluator_cfg"] |= {
        "save_name": row.name,
        "restore_hint": config["trainer_cfg"]["total_iter"],
        "save_features": True,
    }
    return config
