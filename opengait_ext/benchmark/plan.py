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
        readers: names of the methods, or "true", whose silhouettes are read.
        runs: trainings by method and seed.
        silhouettes: exports by method, or "true", and seed.
        jobs: all of them, each after those that it needs.
    """

    methods: Methods
    data: str
    out: Path
    overrides: Sequence[str] = ()
    readers: frozenset[str] = frozenset()
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

    def run(self, method: Method, seed: int, cost: bool = False) -> Run:
        """Return the training and test of a method, which is planned at the first call.

        Args:
            cost: also measure its parameters and operations.
        """
        if (method.name, seed) not in self.runs:
            config, needs = self.config(method, seed)
            folder = self.folder(method.name, seed)
            run = Run(method.name, seed, folder, as_run(config, method.name, seed, folder), needs=needs, cost=cost)
            self.runs[method.name, seed] = run
            self.jobs.append(run)
        return self.runs[method.name, seed]

    def config(self, method: Method, seed: int) -> tuple[dict[str, Any], tuple[Job, ...]]:
        """Return a method's configuration for one seed, and the jobs whose files it names."""
        overrides = self.overrides
        if method.reads_silhouettes_of is not None:
            # The data that the silhouettes are made of.
            overrides = [text for text in overrides if not text.startswith("data_cfg.dataset_root=")]
        config = self._load(method.configs[self.data], seed, overrides)
        needs: list[Job] = []
        for key, source in method.weights.get(self.data, {}).items():
            needs.append(self.run(self.methods.by_name[source], seed))
            config["model_cfg"][key] = str(self.runs[source, seed].checkpoint)
        section = config["data_cfg"]
        if method.sees_truth and "mask_root" in section:
            section["mask_root"] = self._truth(section["dataset_root"])
        elif method.sees_truth or method.reads_silhouettes_of is not None:
            job = self.silhouettes_of(method.silhouettes, seed)
            needs.append(job)
            section["dataset_root"] = str(job.folder / Path(section["dataset_root"]).name)
            section["dataset_partition"] = str(job.partition)
        return config, tuple(needs)

    def silhouettes_of(self, source: str, seed: int) -> Silhouettes:
        """Return the export of a method's silhouettes, or of the true ones, which is planned at the first call."""
        if (source, seed) not in self.silhouettes:
            read = source in self.readers
            if source == TRUE_SILHOUETTES:
                loaded = self._load([DATA[self.data].frames], seed, self.overrides)
                section = loaded["data_cfg"]
                section["mask_root"] = self._truth(section["dataset_root"])
                config = {"extensions": loaded["extensions"], "data_cfg": section}
                job = Silhouettes("true silhouettes", seed, self.folder("true-silhouettes", seed), config, read=read)
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

    def _load(self, files: Sequence[str], seed: int, overrides: Sequence[str]) -> dict[str, Any]:
        first, *others = (CONFIGS / file for file in files)
        config = load_config(first, overrides, others)
        if self.data_root is not None and "reader" in config["data_cfg"]:
            config["data_cfg"]["dataset_root"] = self.data_root.format(seed=seed)
        return config

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
    plan = Plan(methods, data, out, overrides, readers=frozenset(method.silhouettes for method in rows))
    for seed in seeds:
        for method in rows:
            plan.run(method, seed, cost=seed == seeds[0])
            if method.makes_silhouettes and DATA[data].silhouettes:
                plan.silhouettes_of(method.name, seed)
    return plan
