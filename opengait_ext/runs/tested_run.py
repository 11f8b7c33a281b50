"""A tested run with its saved descriptors and its protocol."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from opengait.errors import DataError
from opengait.evaluation.features import Features, load_features
from opengait_ext.evaluation.protocol import PROTOCOLS, Direction, Protocol
from opengait_ext.runs.results import TestResult, open_test, result_files


@dataclass(frozen=True)
class TestedRun(TestResult):
    """One test of a run with the descriptors that it was measured on.

    Attributes:
        name: name of the run in figures.
        features: the descriptors.
    """

    name: str
    features: Features

    @property
    def protocol(self) -> Protocol:
        """The protocol, with the camera rule as the test applied it."""
        return replace(PROTOCOLS[self.card["protocol"]], camera_rule=bool(self.card["camera_rule"]))

    @property
    def population(self) -> str:
        """The population of queries and gallery that the test reports first."""
        return next(iter(self.card["populations"]))

    def direction(self, name: str) -> Direction:
        """Return the protocol's direction of that name, such as `infrared_to_visible`.

        Raises:
            DataError: the protocol has no such direction.
        """
        known = {direction.name: direction for direction in self.protocol.directions}
        if name not in known:
            raise DataError(f"{self.file} has no direction {name}; choose one of {', '.join(known)}.")
        return known[name]


def open_run(path: str | Path, name: str | None = None) -> TestedRun:
    """Open the last test of a run folder, or one test's JSON file, with its saved descriptors.

    Raises:
        DataError: there is no test, it saved no descriptors, or it has no protocol card.
    """
    files = result_files(Path(path))
    if len(files) > 1:
        raise DataError(f"{path} holds {len(files)} runs ({files[0]}, {files[1]}, ...); name one of them.")
    test = open_test(files[0])
    if test.card.get("protocol") not in PROTOCOLS:
        raise DataError(f"{test.file} names no known protocol ({', '.join(PROTOCOLS)}); test the checkpoint again.")
    if not test.features_file.is_file():
        raise DataError(
            f"{test.file.parent} has no saved features ({test.features_file.name}); "
            f"test again with --set evaluator_cfg.save_features=true."
        )
    return TestedRun(test.file, test.content, name or test.folder.name, load_features(test.features_file))


def open_runs(paths: Sequence[str | Path]) -> list[TestedRun]:
    """Open several runs under distinct names.

    Raises:
        DataError: one cannot be opened, or they are not comparable (`check_comparable`).
    """
    runs = [open_run(path) for path in paths]
    check_comparable(runs)
    folders = [list(run.folder.absolute().parts) for run in runs]
    if len(set(map(tuple, folders))) < len(runs):
        names = [f"{run.name}, iteration {run.content.get('iteration')}" for run in runs]
    else:
        # Run folders of one configuration have the same last parts, so parts are dropped until the names differ.
        while len({folder[-1] for folder in folders}) < len(runs) and all(len(folder) > 1 for folder in folders):
            folders = [folder[:-1] for folder in folders]
        names = [folder[-1] for folder in folders]
    return [replace(run, name=name) for run, name in zip(runs, names, strict=True)]


def check_comparable(runs: Sequence[TestedRun]) -> None:
    """Check that runs tested the same tracklets in the same order by the same rules.

    Raises:
        DataError: they differ.
    """
    first = runs[0]
    for run in runs[1:]:
        pairs = [(getattr(first.features, k), getattr(run.features, k)) for k in ("labels", "types", "views")]
        if not all(np.array_equal(one, other) for one, other in pairs):
            raise DataError(f"{first.file} and {run.file} tested different tracklets and cannot be compared.")
        rules = [(r.card["protocol"], bool(r.card["camera_rule"]), r.population) for r in (first, run)]
        if rules[0] != rules[1]:
            raise DataError(
                f"{first.file} and {run.file} were measured by different rules ({rules[0]} and {rules[1]}: protocol, "
                f"camera rule, population) and cannot be compared; test one of them again."
            )
