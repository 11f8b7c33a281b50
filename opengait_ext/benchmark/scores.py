"""Values per query of tests, aligned between methods, so that each query counts in every row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opengait_ext.evaluation.bootstrap import QueryValues
from opengait_ext.evaluation.protocol import CROSS_MODAL
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.tested_run import open_run

KEYS = ("rank1", "rank5", "rank10", "map", "minp")
_RANKS = (1, 5, 10)


@dataclass(frozen=True)
class TestScores:
    """The queries of one test that have a match.

    Attributes:
        queries: by direction, the names of the queries, `[queries]`.
        people: by direction, the people of the queries, `[queries]`.
        values: by direction, float `[queries, 5]` in the order of `KEYS`, from 0 to 1.
        tracklets: number of tracklets that were tested.
        protocol: the rules, which rows must share.
    """

    __test__ = False

    queries: Sequence[np.ndarray]
    people: Sequence[np.ndarray]
    values: Sequence[np.ndarray]
    tracklets: int
    protocol: str


def scores_of(result_file: Path) -> TestScores:
    """Return the values per query of a test that saved its descriptors.

    Raises:
        DataError: the test cannot be read.
    """
    run = open_run(result_file)
    queries, people, values = [], [], []
    for direction in CROSS_MODAL:
        ranking = Ranking(run, direction)
        metrics, chosen = ranking.metrics, ranking.query[ranking.valid]
        labels, types, views = run.features.labels[chosen], run.features.types[chosen], run.features.views[chosen]
        queries.append(np.array(["/".join(names) for names in zip(labels, types, views, strict=True)]))
        people.append(labels)
        hits = metrics.first_hit[ranking.valid]
        columns = [*(hits <= rank for rank in _RANKS), metrics.ap[ranking.valid], metrics.inp[ranking.valid]]
        values.append(np.column_stack(columns).astype(np.float64))
    rule = "on" if run.protocol.camera_rule else "off"
    protocol = f"{run.protocol.name}, camera rule {rule}, {run.population} population"
    return TestScores(queries, people, values, len(run.features), protocol)


def aligned(scores: Mapping[str, TestScores]) -> dict[str, list[QueryValues]]:
    """Return the values of several methods on the tests of one seed, for the same queries in the same order.

    A query that a method has not tested, because its silhouettes are empty, counts as missed: all its values are 0.

    Returns:
        By method, the values of each direction.
    """
    values: dict[str, list[QueryValues]] = {name: [] for name in scores}
    for direction in range(len(CROSS_MODAL)):
        everyone = {
            query: person
            for test in scores.values()
            for query, person in zip(test.queries[direction], test.people[direction], strict=True)
        }
        names = np.array(sorted(everyone))
        people = np.array([everyone[name] for name in names.tolist()])
        for method, test in scores.items():
            filled = np.zeros((len(names), len(KEYS)))
            filled[np.searchsorted(names, test.queries[direction])] = test.values[direction]
            values[method].append(QueryValues(filled, people))
    return values
