"""The trainings that a table needs: one job per row and seed, each with its own configuration and folder."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from opengait.config import load_config
from opengait.shipped import SHIPPED
from opengait_ext.ablation.tables import Row
from opengait_ext.experiments.jobs import Run, as_run

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


def plan_jobs(rows: Iterable[Row], data: str, seeds: Sequence[int], out: Path, overrides: Sequence[str]) -> list[Run]:
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
        Run(name, seed, folder, compose(row, DATA[data], seed, folder, overrides, load))
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
    return as_run(config, row.name, seed, folder)
