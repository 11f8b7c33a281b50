"""Learning rates, tried for every method at the same small budget on people that the benchmark never sees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from opengait.errors import ConfigError
from opengait_ext.benchmark.methods import Method, Methods
from opengait_ext.benchmark.plan import DATA, Plan
from opengait_ext.experiments.jobs import Run, as_run
from opengait_ext.runs.results import DIRECTIONS

# Seed of the people that rates are tried on.
SEED = 10_000
FILE = "tuning.json"

Trials = dict[str, dict[float, Run]]


class _RatePlan(Plan):
    """Runs in folders named by learning rate, so that a changed configuration finds the rates that were tried."""

    def folder(self, name: str, seed: int) -> Path:
        folder = self.out / self.data / "tuning" / name
        if name not in self.methods.by_name:
            return folder
        files = self.methods.by_name[name].configs[self.data]
        return folder / _named(rate_of(self._load(files, self.overrides)))


def plan_tuning(
    methods: Methods, rows: Sequence[Method], data: str, out: Path, overrides: Sequence[str]
) -> tuple[Plan, Trials]:
    """Plan a training at each learning rate for each configuration, in the first of the rows that share it.

    Returns:
        The plan, and the runs by method and learning rate.

    Raises:
        ConfigError: the data set has no people beyond those of the benchmark.
    """
    if DATA[data].same_people:
        raise ConfigError(
            f"--tune needs people that no result is measured on, and {DATA[data].title} has none; use --data synthetic."
        )
    first = list({tuple(method.configs[data]): method for method in reversed(rows)}.values())[::-1]
    plan = _RatePlan(methods, data, out, overrides, frozenset(method.silhouettes for method in first))
    trials: Trials = {}
    for method in first:
        trials[method.name] = {}
        # A row that others start from runs once.
        middle = plan.run(method, SEED)
        for factor in methods.rate_factors:
            config, needs = plan.config(method, SEED)
            rate = scale_rates(config, factor)
            if rate == rate_of(middle.config):
                trials[method.name][rate] = middle
                continue
            folder = middle.folder.parent / _named(rate)
            config = as_run(config, method.name, SEED, folder)
            trials[method.name][rate] = Run(f"{method.name}, lr {rate:g}", SEED, folder, config, needs=needs)
            plan.jobs.append(trials[method.name][rate])
    return plan, trials


def scale_rates(config: dict[str, Any], factor: float) -> float:
    """Multiply the learning rates of a configuration, and return that of most parameters."""
    section = config["optimizer_cfg"]
    for part in (section, *(section.get("groups") or [])):
        if "lr" in part:
            # Short, so that a rate is the same whichever rate it was computed from.
            part["lr"] = float(f"{part['lr'] * factor:.3g}")
    return rate_of(config)


def rate_of(config: Mapping[str, Any]) -> float:
    """Return the learning rate of a configuration."""
    return float(config["optimizer_cfg"]["lr"])


def outcome(methods: Methods, data: str, trials: Trials) -> dict[str, Any]:
    """Return the results of the finished trials: Rank-1 and mAP, mean of both directions, and the best rate by mAP."""
    rows = {}
    for name, runs in trials.items():
        measured = {
            rate: {key: fmean(test["results"][direction][key] for direction in DIRECTIONS) for key in ("rank1", "map")}
            for rate, run in runs.items()
            if run.tested
            for test in [run.results()]
        }
        rows[name] = {
            "configs": list(methods.by_name[name].configs[data]),
            "rates": {f"{rate:g}": numbers for rate, numbers in measured.items()},
            "best": max(measured, key=lambda rate: measured[rate]["map"], default=None),
        }
    return {"seed": SEED, "rows": rows}


def tuning_table(tuning: Mapping[str, Any]) -> str:
    """Return a Markdown table of the rates that were tried."""
    lines = ["| Method | Learning rate | Rank-1 | mAP | |", "| --- | ---: | ---: | ---: | --- |"]
    for name, row in tuning["rows"].items():
        for rate, numbers in row["rates"].items():
            best = "best mAP" if float(rate) == row["best"] else ""
            lines.append(f"| {name} | {rate} | {100 * numbers['rank1']:.1f} | {100 * numbers['map']:.1f} | {best} |")
    return "\n".join(lines) + "\n"


def tuning_sentences(tuning: Mapping[str, Any] | None, rows: Sequence[tuple[Method, float]], data: str) -> list[str]:
    """Return how the learning rates of rows were chosen, as far as the tuning's file says so.

    Args:
        tuning: the return value of `outcome`, or None.
        rows: the rows and their learning rates.
        data: key of `DATA`.
    """
    if tuning is None:
        return ["This folder has no record of vvi benchmark --tune; learning rates are those of the configurations."]
    entries = {tuple(entry["configs"]): entry for entry in tuning["rows"].values()}
    tried, deviating = [], []
    for method, rate in rows:
        entry = entries.get(tuple(method.configs[data]))
        if entry is None or entry["best"] is None:
            deviating.append(f"{method.title} was not tuned; its learning rate is {rate:g}.")
        elif entry["best"] == rate:
            tried.append(f"{method.title} {rate:g} of {', '.join(entry['rates'])}")
        else:
            best = f"{entry['best']:g} had the best mAP of those tried"
            deviating.append(f"{method.title} is trained at {rate:g}, but {best}.")
    if tried:
        budget = f"one run each on people of seed {tuning['seed']}, on whom no result is measured"
        tried = [f"Learning rates with the best mAP of those tried, {budget}: {'; '.join(tried)}."]
    return [*tried, *deviating]


def _named(rate: float) -> str:
    return f"lr-{rate:g}"
