"""The jobs of the benchmark: trainings, and the silhouettes and checkpoints that some of them read from others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengait.config import load_config
from opengait.shipped import SHIPPED
from opengait_ext.benchmark.methods import TRUE_SILHOUETTES, Method, Methods
from opengait_ext.benchmark.silhouettes import Silhouettes
from opengait_ext.experiments.jobs import Job, Run, as_run

CONFIGS = SHIPPED / "configs"


@dataclass(frozen=True)
class DataSet:
    """A data set that methods are compared on.

    Attributes:
        title: name for messages.
        frames: configuration whose `data_cfg` reads the frames, below `configs/`.
        root: folder of each seed's own data below the output folder; None for the folder that configurations name.
        silhouettes: folder of true silhouettes below the data, if there are any.
    """

    title: str
    frames: str
    root: str | None = None
    silhouettes: str | None = None

    @property
    def same_people(self) -> bool:
        """True if all seeds are trained and tested on the same people."""
        return self.root is None


DATA = {
    "synthetic": DataSet("the synthetic data", "benchmark/baseline.yaml", "data/seed-{seed}", "silhouettes"),
    "hitsz": DataSet("HITSZ-VCM", "dinogrl/hitsz.yaml"),
    "bupt": DataSet("BUPTCampus", "dinogrl/bupt.yaml"),
}


@dataclass
class Plan:
    """Jobs of a benchmark; those of rows and those that they need.

    Attributes:
        methods: the methods that jobs may need.
        data: key of `DATA`.
        out: output folder.
        overrides: `section.key=value`, applied to every configuration.
        read: names of the methods, or "true", whose silhouettes are read.
        cost_seed: the seed whose runs also measure parameters and operations, or None.
        runs: trainings by method and seed.
        silhouettes: exports by method, or "true", and seed.
        jobs: all of them, each after those that it needs.
    """

    methods: Methods
    data: str
    out: Path
    overrides: Sequence[str] = ()
    read: frozenset[str] = frozenset()
    cost_seed: int | None = None
    runs: dict[tuple[str, int], Run] = field(default_factory=dict)
    silhouettes: dict[tuple[str, int], Silhouettes] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)

    @property
    def data_root(self) -> str | None:
        """Folder of each seed's data, with the placeholder {seed}; None if configurations name it."""
        root = DATA[self.data].root
        return None if root is None else str(self.out / root)

    def folder(self, name: str, seed: int) -> Path:
        """Return the folder of a job."""
        return self.out / self.data / name / f"seed-{seed}"

    def run(self, method: Method, seed: int) -> Run:
        """Return the training and test of a method, which is planned at the first call."""
        if (method.name, seed) not in self.runs:
            config, needs = self.config(method, seed)
            folder = self.folder(method.name, seed)
            config = as_run(config, method.name, seed, folder)
            run = Run(method.name, seed, folder, config, needs=needs, cost=seed == self.cost_seed)
            self.runs[method.name, seed] = run
            self.jobs.append(run)
        return self.runs[method.name, seed]

    def config(self, method: Method, seed: int) -> tuple[dict[str, Any], tuple[Job, ...]]:
        """Return a method's configuration for one seed, and the jobs whose files it names."""
        overrides = self.overrides
        if method.reads_silhouettes_of is not None:
            # The data that the silhouettes are made of.
            overrides = [text for text in overrides if not text.startswith("data_cfg.dataset_root=")]
        config = self._load(method.configs[self.data], overrides)
        section, needs = config["data_cfg"], list[Job]()
        for key, source in method.weights.get(self.data, {}).items():
            needs.append(self.run(self.methods.by_name[source], seed))
            config["model_cfg"][key] = str(self.runs[source, seed].checkpoint)
        masks = method.sees_truth and section.get("mask_root")
        if masks or not (method.sees_truth or method.reads_silhouettes_of):
            self._place(section, seed, masks=bool(masks))
        else:
            job = self.silhouettes_of(method.silhouettes, seed)
            needs.append(job)
            section["dataset_root"] = str(job.folder / Path(section["dataset_root"]).name)
            section["dataset_partition"] = str(job.partition)
        return config, tuple(needs)

    def silhouettes_of(self, source: str, seed: int) -> Silhouettes:
        """Return the export of a method's silhouettes, or of the true ones, which is planned at the first call."""
        if (source, seed) not in self.silhouettes:
            read = source in self.read
            if source == TRUE_SILHOUETTES:
                config = self._load([DATA[self.data].frames], self.overrides)
                self._place(config["data_cfg"], seed, masks=True)
                config = {key: config[key] for key in ("extensions", "data_cfg")}
                folder = self.folder("true-silhouettes", seed)
                job = Silhouettes("true silhouettes", seed, folder, config, read=read)
            else:
                run = self.run(self.methods.by_name[source], seed)
                truth = self._truth(run.config["data_cfg"]["dataset_root"]) if DATA[self.data].silhouettes else None
                job = Silhouettes(
                    f"silhouettes of {source}",
                    seed,
                    run.folder / "silhouettes",
                    run.config,
                    needs=(run,),
                    run=run,
                    read=read,
                    truth=None if truth is None else Path(truth),
                )
            self.silhouettes[source, seed] = job
            self.jobs.append(job)
        return self.silhouettes[source, seed]

    def _load(self, files: Sequence[str], overrides: Sequence[str]) -> dict[str, Any]:
        first, *others = (CONFIGS / file for file in files)
        return load_config(first, overrides, others)

    def _place(self, section: dict[str, Any], seed: int, masks: bool) -> None:
        """Set the folder of the frames and, with `masks`, of the true silhouettes in a `data_cfg`."""
        if self.data_root is not None:
            section["dataset_root"] = self.data_root.format(seed=seed)
        if masks:
            section["mask_root"] = self._truth(section["dataset_root"])

    def _truth(self, root: str) -> str:
        return f"{root}/{DATA[self.data].silhouettes}"


def plan_benchmark(
    methods: Methods, rows: Iterable[Method], data: str, seeds: Sequence[int], out: Path, overrides: Sequence[str]
) -> Plan:
    """Plan each row for each seed, all rows of a seed before the next seed.

    Args:
        methods: the methods that rows may need.
        rows: methods that exist on the data set `data`, a key of `DATA`.
        out: runs are written to `<out>/<data>/<method>/seed-<n>`.
        overrides: `section.key=value`, applied to every configuration.

    Raises:
        ConfigError: an override names an unknown key.
    """
    rows = list(rows)
    plan = Plan(methods, data, out, overrides, frozenset(method.silhouettes for method in rows), seeds[0])
    for seed in seeds:
        for method in rows:
            plan.run(method, seed)
            if method.makes_silhouettes and DATA[data].silhouettes:
                plan.silhouettes_of(method.name, seed)
    return plan
