"""The gallery tracklets nearest to a query, and a verdict whether the person is in the gallery at all.

With a calibration of the network (`opengait_ext.evaluation.calibration`), a candidate's p-value is the false-positive
identification rate of a gallery of this size if candidates as near are accepted. The verdict is "somebody" if that of
the nearest candidate is at most the level, with the probability that it is the person.

Without a calibration, the p-values are those of `opengait_ext.search.uncalibrated`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from opengait.errors import DataError
from opengait_ext.evaluation.calibration import PairCalibration
from opengait_ext.evaluation.calibration_file import Calibration
from opengait_ext.search.descriptors import Descriptors
from opengait_ext.search.neighbours import Neighbours
from opengait_ext.search.records import Record
from opengait_ext.search.uncalibrated import LEAST, p_values

# Difference of two descriptors, as a share of their length, that rounding to 16 bits explains.
DUPLICATE = 1e-3
# Without a calibration, a distance is judged by all others, of which no more are held.
MOST = 2**17


class Searchable(Protocol):
    """What a gallery offers to a search: `Descriptors` in memory, a gallery folder, or one on a server."""

    @property
    def checkpoint(self) -> str:
        """The checkpoint that described the tracklets."""

    @property
    def checkpoint_sha256(self) -> str:
        """Its digest."""

    def __len__(self) -> int:
        """Return the number of tracklets."""

    def counts(self) -> Mapping[str, int]:
        """Return the number of tracklets of each modality that has any."""

    def nearest(self, queries: np.ndarray, modality: str, top: int, metric: str) -> Neighbours:
        """Return the nearest tracklets of a modality for queries `[q, c, p]`."""

    def tracklet(self, place: int) -> tuple[str, np.ndarray, Record]:
        """Return name, descriptor `[c, p]` and record of a tracklet."""


@dataclass(frozen=True)
class Candidate:
    """A gallery tracklet near a query.

    Attributes:
        place: its index in the gallery.
        name, modality: its name and modality.
        distance: its distance to the query.
        p_value: false-positive rate if candidates as near are accepted; None if it cannot be judged.
        source, track, start_seconds, end_seconds: its origin, see `Record`.
    """

    place: int
    name: str
    modality: str
    distance: float
    p_value: float | None
    source: str = ""
    track: str = ""
    start_seconds: float | None = None
    end_seconds: float | None = None


@dataclass(frozen=True)
class QueryResult:
    """The result of one query.

    Attributes:
        query, modality: name and modality of the query.
        candidates: the nearest gallery tracklets, nearest first.
        somebody: whether the gallery holds the person; None if that cannot be decided.
        undecided: why it cannot.
        fpir: the false-positive identification rate that the verdict is set for.
        probability: probability that the first candidate is the person, if half of all queries are of people in the
            gallery; None without a calibration.
        calibrated: whether a calibration was used for every modality of the gallery.
    """

    query: str
    modality: str
    candidates: tuple[Candidate, ...]
    somebody: bool | None
    undecided: str | None = None
    fpir: float | None = None
    probability: float | None = None
    calibrated: bool = False


def search(
    gallery: Searchable,
    queries: Descriptors,
    top: int = 10,
    level: float = 0.05,
    metric: str = "euc",
    calibration: Calibration | None = None,
) -> list[QueryResult]:
    """Rank the gallery for each query.

    Args:
        gallery, queries: descriptors of the same network.
        top: candidates per query.
        level: the false-positive identification rate: the probability of the verdict "somebody" for a person who is
            not in the gallery.
        metric: "euc", "cos" or "dot", the metric that the network was tested with.
        calibration: of the network, for this metric.

    Raises:
        DataError: the networks differ, or the gallery is empty.
    """
    check_gallery(gallery, queries.checkpoint, queries.checkpoint_sha256)
    pairs = check_calibration(calibration, queries.checkpoint_sha256, metric).pairs if calibration else {}
    results: list[QueryResult | None] = [None] * len(queries)
    for modality in np.unique(queries.types):
        rows = np.flatnonzero(queries.types == modality)
        near = {}
        for kind, count in gallery.counts().items():
            wanted = top if (str(modality), kind) in pairs or count > MOST else count
            near[kind] = gallery.nearest(queries.embeddings[rows], kind, wanted, metric)
        for number, row in enumerate(rows):
            ranked = {kind: _ranked(part, number, pairs.get((str(modality), kind))) for kind, part in near.items()}
            query = (str(queries.names[row]), str(modality), queries.embeddings[row])
            farthest = [int(part.farthest[number]) for part in near.values()]
            results[row] = _result(gallery, query, ranked, farthest, top, level)
    return [result for result in results if result is not None]


@dataclass(frozen=True)
class _Ranked:
    """Places, distances and p-values `[k]` (NaN for unknown) of one query in one modality of n tracklets."""

    places: np.ndarray
    distances: np.ndarray
    p: np.ndarray
    count: int
    pair: PairCalibration | None


def _ranked(near: Neighbours, number: int, pair: PairCalibration | None) -> _Ranked:
    places, distances = near.places[number], near.distances[number]
    if pair is not None:
        p = pair.fpir(distances, near.count)
    elif len(distances) == near.count:
        p = p_values(distances, np.zeros(near.count))
    else:
        p = np.full(len(distances), np.nan)
    return _Ranked(places, distances, p, near.count, pair)


def _result(
    gallery: Searchable,
    query: tuple[str, str, np.ndarray],
    ranked: Mapping[str, _Ranked],
    farthest: list[int],
    top: int,
    level: float,
) -> QueryResult:
    name, modality, descriptor = query
    rows = sorted(
        (float(d), int(place), float(p), kind)
        for kind, part in ranked.items()
        for place, d, p in zip(part.places[:top], part.distances[:top], part.p[:top], strict=True)
    )[:top]
    tracklets = {place: gallery.tracklet(place) for _, place, _, _ in rows}
    # If even the farthest tracklet equals the query, all are one point, and being equal says nothing.
    collapsed = len(gallery) > 1 and all(
        place >= 0 and is_same(descriptor, gallery.tracklet(place)[1]) for place in farthest
    )
    same = {place for place in tracklets if is_same(descriptor, tracklets[place][1])} if not collapsed else set()
    candidates = []
    for distance, place, p, kind in rows:
        text, _, record = tracklets[place]
        p_value = 0.0 if place in same else None if np.isnan(p) else p
        origin = (record.source, record.track, record.start_seconds, record.end_seconds)
        candidates.append(Candidate(place, text, kind, distance, p_value, *origin))
    best = [0.0] if same else [float(part.p[0]) for part in ranked.values() if not np.isnan(part.p[0])]
    # Bonferroni correction: each modality is a separate test.
    somebody = bool(min(best) * len(best) <= level) if best and not collapsed else None
    undecided = None
    if somebody is None:
        undecided = _reason(ranked, collapsed)
    first = ranked[candidates[0].modality]
    probability = None if first.pair is None else first.pair.probability(candidates[0].distance, first.count)
    return QueryResult(
        name,
        modality,
        tuple(candidates),
        somebody,
        undecided,
        level,
        None if collapsed else 1.0 if candidates[0].place in same else probability,
        all(part.pair is not None for part in ranked.values()),
    )


def check_calibration(calibration: Calibration, sha256: str, metric: str) -> Calibration:
    """Return a calibration after checking that it belongs to a network and a metric.

    Raises:
        DataError: it belongs to another.
    """
    if calibration.network not in ("", sha256):
        raise DataError(
            f"The calibration ({calibration.source}) belongs to another checkpoint than the gallery; calibrate again."
        )
    if calibration.metric != metric:
        raise DataError(f"The calibration is for the metric {calibration.metric}, but the network's is {metric}.")
    return calibration


def check_gallery(gallery: Searchable, checkpoint: str | Path, sha256: str) -> None:
    """Check that a gallery has tracklets, described by a checkpoint.

    Raises:
        DataError: it is empty, or another checkpoint described it.
    """
    if gallery.checkpoint_sha256 != sha256:
        raise DataError(
            f"Gallery and queries were described by different checkpoints ({gallery.checkpoint} and {checkpoint}); "
            f"describe both with one."
        )
    if not len(gallery):
        raise DataError("The gallery is empty.")


def is_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two descriptors (c, p) are equal up to rounding, as those of the same frames are."""
    return bool(np.linalg.norm(one - other) <= DUPLICATE * np.linalg.norm(one))


def _reason(ranked: Mapping[str, _Ranked], collapsed: bool) -> str:
    """Return why no tracklet of a gallery has a p-value."""
    listed = " and ".join(f"{part.count} {modality}" for modality, part in ranked.items())
    counts = [part.count for part in ranked.values()]
    if max(counts) < LEAST and not collapsed:
        return f"there is no calibration and the gallery has {listed} tracklets, fewer than {LEAST} of a modality"
    if all(len(part.distances) < part.count for part in ranked.values()) and not collapsed:
        return f"{listed} tracklets are too many to judge a distance by all of them; give a calibration"
    return f"most of the gallery's {listed} tracklets are equally far from the query"
