"""A tested run as figures need it: its descriptors, its protocol, and who was found for whom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait.evaluation.features import Features, load_features
from opengait.evaluation.reranking import re_ranking
from opengait_ext.data.tracklet import parse_view
from opengait_ext.evaluation.protocol import PROTOCOLS, Direction, Protocol
from opengait_ext.runs.results import read_test, test_files


@dataclass(frozen=True)
class TestedRun:
    """One test of a run.

    Attributes:
        name: what the run is called in figures.
        file: the test's JSON file.
        content: what it holds.
        features: the descriptors that it was measured on.
    """

    __test__ = False

    name: str
    file: Path
    content: dict[str, Any]
    features: Features

    @property
    def card(self) -> dict[str, Any]:
        """The protocol card."""
        return self.content["card"]

    @property
    def protocol(self) -> Protocol:
        """Who asks and who is found, with the camera rule as it was used."""
        return replace(PROTOCOLS[self.card["protocol"]], camera_rule=bool(self.card["camera_rule"]))

    @property
    def population(self) -> str:
        """The choice of queries and gallery that the test's first numbers are of."""
        return next(iter(self.card["populations"]))

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.file.parent.parent

    def direction(self, name: str) -> Direction:
        """The protocol's direction of that name, such as `infrared_to_visible`.

        Raises:
            DataError: the protocol has no such direction.
        """
        known = {direction.name: direction for direction in self.protocol.directions}
        if name not in known:
            raise DataError(f"{self.file} was not measured {name}; its directions are {', '.join(known)}.")
        return known[name]


def open_run(path: str | Path, name: str | None = None) -> TestedRun:
    """The last test of a run folder, or that of a test's JSON file, with its saved features.

    Raises:
        DataError: there is no test, it kept no features, or it has no protocol card.
    """
    files = test_files(Path(path))
    if len(files) > 1:
        raise DataError(f"{path} holds {len(files)} runs ({files[0]}, {files[1]}, ...); name one of them.")
    file = files[0]
    content = read_test(file)
    if content.get("card", {}).get("protocol") not in PROTOCOLS:
        raise DataError(f"{file} tells no protocol that is known here; test the checkpoint again.")
    kept = file.with_suffix(".npz")
    if not kept.is_file():
        raise DataError(
            f"{file.parent} has no saved features ({kept.name}); "
            f"test again with --set evaluator_cfg.save_features=true."
        )
    return TestedRun(name or file.parent.parent.name, file, content, load_features(kept))


def open_runs(paths: Sequence[str | Path]) -> list[TestedRun]:
    """`open_run` of each, with names that tell them apart.

    Raises:
        DataError: one cannot be opened, or they were not tested alike (`check_comparable`).
    """
    runs = [open_run(path) for path in paths]
    check_comparable(runs)
    folders = [list(run.folder.absolute().parts) for run in runs]
    if len(set(map(tuple, folders))) < len(runs):
        names = [f"{run.name}, iteration {run.content.get('iteration')}" for run in runs]
    else:
        # Run folders of the same configuration end alike; what tells them apart stands before that.
        while len({folder[-1] for folder in folders}) < len(runs) and all(len(folder) > 1 for folder in folders):
            folders = [folder[:-1] for folder in folders]
        names = [folder[-1] for folder in folders]
    return [replace(run, name=name) for run, name in zip(runs, names, strict=True)]


def check_comparable(runs: Sequence[TestedRun]) -> None:
    """Runs are drawn together only where they tested the same tracklets in the same order, by the same rules.

    Raises:
        DataError: they did not.
    """
    first = runs[0]
    for run in runs[1:]:
        pairs = [(getattr(first.features, k), getattr(run.features, k)) for k in ("labels", "types", "views")]
        if not all(np.array_equal(one, other) for one, other in pairs):
            raise DataError(f"{first.file} and {run.file} tested different tracklets, so they are not put together.")
        rules = [(r.card["protocol"], bool(r.card["camera_rule"]), r.population) for r in (first, run)]
        if rules[0] != rules[1]:
            raise DataError(
                f"{first.file} and {run.file} were measured by different rules ({rules[0]} and {rules[1]}: protocol, "
                f"camera rule, population), so they are not put together; test one of them again."
            )


class Ranking:
    """Queries and gallery of one direction, and all distances between them.

    Args:
        run: the test.
        direction: who asks for whom.

    Attributes:
        query, gallery: places among the run's tracklets, ascending.
    """

    def __init__(self, run: TestedRun, direction: Direction) -> None:
        self.run = run
        self.direction = direction
        features = run.features
        self.query, self.gallery = run.protocol.select(direction, features.types, features.views, run.population)
        self.cameras = np.array([parse_view(view).camera for view in features.views])

    @cached_property
    def distance(self) -> np.ndarray:
        """float32 (queries, gallery); smaller is nearer. Re-ranked where the test's were."""
        embeddings = torch.from_numpy(self.run.features.embeddings)
        asking, found = embeddings[torch.from_numpy(self.query)], embeddings[torch.from_numpy(self.gallery)]
        metric = self.run.card["distance"]["metric"]
        if self.run.card.get("re_ranking") and len(asking) and len(found):
            both = torch.cat([asking, found])
            return re_ranking(cuda_dist(both, both, metric), len(asking)).cpu().numpy()
        blocks = [cuda_dist(asking[start : start + 256], found, metric).cpu() for start in range(0, len(asking), 256)]
        return torch.cat(blocks).numpy() if blocks else np.zeros((0, len(found)), dtype=np.float32)

    @cached_property
    def matches(self) -> np.ndarray:
        """bool (queries, gallery): the same person."""
        labels = self.run.features.labels
        return labels[self.query][:, None] == labels[self.gallery][None]

    @cached_property
    def removed(self) -> np.ndarray:
        """bool (queries, gallery): pairs that the camera rule takes out."""
        if not self.run.protocol.camera_rule:
            return np.zeros_like(self.matches)
        return self.matches & (self.cameras[self.query][:, None] == self.cameras[self.gallery][None])

    @cached_property
    def valid(self) -> np.ndarray:
        """bool (queries): somebody is there to be found."""
        return (self.matches & ~self.removed).any(axis=1)

    @cached_property
    def order(self) -> np.ndarray:
        """int (queries, gallery): places in `gallery` from the nearest on; removed pairs come last, ties keep order."""
        return np.argsort(np.where(self.removed, np.inf, self.distance), axis=1, kind="stable")

    @cached_property
    def hits(self) -> np.ndarray:
        """bool (queries, gallery): whether the k-th in `order` is a match that counts."""
        return np.take_along_axis(self.matches & ~self.removed, self.order, axis=1)

    def average_precision(self) -> np.ndarray:
        """float (queries): NaN for queries without a match."""
        ranks = np.arange(1, self.hits.shape[1] + 1)
        found = self.hits.sum(axis=1)
        precision = np.cumsum(self.hits, axis=1) / ranks
        with np.errstate(invalid="ignore"):
            return np.where(found > 0, (precision * self.hits).sum(axis=1) / found, np.nan)

    def first_hit(self) -> np.ndarray:
        """int (queries): rank of the first match, from 1; 0 for queries without a match."""
        return np.where(self.valid, self.hits.argmax(axis=1) + 1, 0)

    def cmc(self, ranks: int = 20) -> np.ndarray:
        """float (ranks): share of the valid queries whose first match is at rank k or before."""
        first = self.first_hit()[self.valid]
        return np.array([(first <= rank).mean() if len(first) else 0.0 for rank in range(1, ranks + 1)])
