"""The numbers of a benchmark so far: metrics with intervals, differences between rows, silhouettes and costs."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from opengait.data.text_files import read_json
from opengait.engine.times import training_seconds
from opengait.errors import DataError
from opengait_ext.benchmark.facts import facts_of
from opengait_ext.benchmark.methods import Method
from opengait_ext.benchmark.plan import DATA, Plan
from opengait_ext.benchmark.scores import TestScores, aligned, scores_of
from opengait_ext.benchmark.silhouettes import Silhouettes
from opengait_ext.benchmark.tuning import rate_of
from opengait_ext.evaluation.bootstrap import QueryValues, SeedMeans, means_over_seeds
from opengait_ext.experiments.jobs import Job, Run

MODALITIES = ("visible", "infrared")


@dataclass(frozen=True)
class Cost:
    """Cost of a network; None where it was not measured.

    Attributes:
        parameters, trained: numbers of parameters, and of those that are trained.
        gflops: billions of floating-point operations per tracklet of the test.
        training_seconds: mean over the seeds.
        tracklets_per_second: in the test, mean over the seeds.
    """

    parameters: int | None = None
    trained: int | None = None
    gflops: float | None = None
    training_seconds: float | None = None
    tracklets_per_second: float | None = None


@dataclass(frozen=True)
class MeasuredMethod:
    """A row and its results.

    Attributes:
        tests: {seed: values of each direction per query} of finished runs.
        missing: {seed: number of test tracklets that the method was not tested on}.
        overlaps: {seed: {modality: mean intersection over union with the true silhouettes}}.
        failures: {seed: error message} of failed runs.
        facts: what its configuration says about frames and batches.
        rate: its learning rate.
        same_people: whether all seeds are tested on the same people.
    """

    method: Method
    tests: Mapping[int, Sequence[QueryValues]]
    missing: Mapping[int, int]
    overlaps: Mapping[int, Mapping[str, float]]
    cost: Cost
    failures: Mapping[int, str]
    facts: Mapping[str, str]
    rate: float
    same_people: bool

    @cached_property
    def means(self) -> SeedMeans | None:
        """Means of `KEYS` over the finished seeds, with intervals; None without a finished run."""
        if not self.tests:
            return None
        means = means_over_seeds(list(self.tests.values()), self.same_people)
        # The stretched deviations of few seeds know no bounds.
        return replace(means, low=np.clip(means.low, 0, 1), high=np.clip(means.high, 0, 1))


@dataclass(frozen=True)
class Benchmark:
    """All rows and their results.

    Attributes:
        data: key of `DATA`.
        seeds: requested seeds.
        protocol: the rules of the tests, or None before the first.
        rows: the rows in order.
        tuning: the content of the tuning's file, or None.
    """

    data: str
    seeds: Sequence[int]
    protocol: str | None
    rows: Sequence[MeasuredMethod]
    tuning: Mapping[str, Any] | None = None
    _differences: dict[tuple[str, str], SeedMeans | None] = field(default_factory=dict)

    def difference(self, one: MeasuredMethod, other: MeasuredMethod) -> SeedMeans | None:
        """Return the differences, first minus second, over the seeds that both have finished; None without one."""
        key = (one.method.name, other.method.name)
        if key not in self._differences:
            pairs = [
                [QueryValues(a.values - b.values, a.groups) for a, b in zip(test, other.tests[seed], strict=True)]
                for seed, test in one.tests.items()
                if seed in other.tests
            ]
            means = means_over_seeds(pairs, one.same_people) if pairs else None
            reverse = None if means is None else SeedMeans(0 - means.mean, 0 - means.high, 0 - means.low, means.spread)
            self._differences.update({key: means, key[::-1]: reverse})
        return self._differences[key]


def measure(
    plan: Plan,
    rows: Sequence[Method],
    seeds: Sequence[int],
    failures: Mapping[Job, str],
    tuning: Mapping[str, Any] | None = None,
) -> Benchmark:
    """Collect the results of a plan's jobs so far.

    Raises:
        DataError: a result file is damaged, or rows were tested by different rules.
    """
    scores = {
        seed: {method.name: scores_of(run.result_file) for method in rows if (run := plan.run(method, seed)).tested}
        for seed in seeds
    }
    protocols = {test.protocol for tests in scores.values() for test in tests.values()}
    if len(protocols) > 1:
        raise DataError(f"The tests followed different rules ({'; '.join(sorted(protocols))}); test one of them again.")
    values = {seed: aligned(tests) for seed, tests in scores.items()}
    measured = [_row(plan, method, scores, values, failures) for method in rows]
    return Benchmark(plan.data, seeds, next(iter(protocols), None), measured, tuning)


def _row(
    plan: Plan,
    method: Method,
    scores: Mapping[int, Mapping[str, TestScores]],
    values: Mapping[int, Mapping[str, Sequence[QueryValues]]],
    failures: Mapping[Job, str],
) -> MeasuredMethod:
    name = method.name
    tested = [seed for seed, tests in scores.items() if name in tests]
    runs = {seed: plan.runs[name, seed] for seed in scores}
    exports = {seed: plan.silhouettes.get((name, seed)) for seed in scores} if method.makes_silhouettes else {}
    jobs = [(seed, job) for jobs in (runs, exports) for seed, job in jobs.items() if job in failures]
    config = next(iter(runs.values())).config
    return MeasuredMethod(
        method=method,
        tests={seed: values[seed][name] for seed in tested},
        missing={
            seed: missing
            for seed in tested
            if (missing := max(test.tracklets for test in scores[seed].values()) - scores[seed][name].tracklets)
        },
        overlaps={seed: overlap for seed, job in exports.items() if (overlap := _overlap(job))},
        cost=_cost([runs[seed] for seed in tested]),
        failures={seed: failures[job] for seed, job in jobs if job is not None},
        facts=facts_of(config),
        rate=rate_of(config),
        same_people=DATA[plan.data].same_people,
    )


def _overlap(job: Silhouettes | None) -> dict[str, float]:
    """Return the overlap with the true silhouettes in each modality; empty if it was not measured."""
    if job is None or not job.overlap_file.is_file():
        return {}
    content = read_json(job.overlap_file, "export the silhouettes again")
    return {modality: float(content[modality]) for modality in MODALITIES if content.get(modality) is not None}


def _cost(runs: Sequence[Run]) -> Cost:
    report = next((read_json(run.cost_file, "remove it") for run in runs if run.cost_file.is_file()), {})
    tests = [run.results() for run in runs]
    trainings = [training_seconds(run.run_folder, run.total) for run in runs]
    paces = [
        test["card"]["data"]["tracklets"] / test["test_seconds"]
        for test in tests
        if test.get("test_seconds") and (test.get("card") or {}).get("data", {}).get("tracklets")
    ]
    return Cost(
        parameters=report.get("parameters"),
        trained=report.get("trainable"),
        gflops=report.get("gflops"),
        training_seconds=_mean([seconds for seconds in trainings if seconds is not None]),
        tracklets_per_second=_mean(paces),
    )


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
