"""Learn a calibration from descriptors, and measure what its verdicts are worth on other people."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait_ext.data.tracklet import Modality
from opengait_ext.evaluation.calibration import PairCalibration, fit_pair
from opengait_ext.evaluation.open_set import Searches, orders, pooled, s_norm, search_enrolled, search_halves

# Distances per pair of modalities; of more, random queries are used.
MOST_DISTANCES = 2**23
HELD_OUT_DRAWS = 100

Pair = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """Distances between the tracklets of two modalities, of known people.

    Attributes:
        distance: `[queries, gallery]`; infinity between a tracklet and itself.
        query_people, gallery_people: identities.
        removed: bool `[queries, gallery]`, pairs of one person that are no candidates, as by the camera rule.
    """

    distance: np.ndarray
    query_people: np.ndarray
    gallery_people: np.ndarray
    removed: np.ndarray

    def of(self, people: np.ndarray) -> "Comparison":
        """Return the part of some people."""
        rows, columns = np.isin(self.query_people, people), np.isin(self.gallery_people, people)
        block = np.ix_(rows, columns)
        return Comparison(
            self.distance[block], self.query_people[rows], self.gallery_people[columns], self.removed[block]
        )

    def fit(self) -> PairCalibration:
        """Learn a calibration; see `fit_pair`."""
        return fit_pair(self.distance, self.query_people, self.gallery_people, self.removed)

    def search_halves(self) -> Searches:
        """Search with random halves of the people enrolled; see `opengait_ext.evaluation.open_set.search_halves`."""
        return search_halves(self.distance, self.query_people, self.gallery_people, self.removed)

    @property
    def half_gallery(self) -> int:
        """The expected number of gallery tracklets in these searches, rounded."""
        people = len(np.union1d(self.query_people, self.gallery_people))
        return round(len(self.gallery_people) * (people // 2) / people) if people else 0


@dataclass(frozen=True)
class HeldOut:
    """Means over draws of what the verdicts at one FPIR are worth on people that the calibration has not seen.

    Attributes:
        fpir: FPIR that was reached.
        accepted: share of verdict "somebody" among the searches that rank the right person first.
        fnir: of mated searches.
        gallery: mean number of gallery tracklets.
        accepted_at_rate, accepted_s_norm: `accepted` at thresholds that have the FPIR on the searches themselves, of
            the distance, and of the distance after S-norm against the people of the calibration.
    """

    fpir: float
    accepted: float
    fnir: float
    gallery: float
    accepted_at_rate: float
    accepted_s_norm: float


def compare_modalities(
    embeddings: np.ndarray | torch.Tensor,
    people: np.ndarray,
    types: np.ndarray,
    cameras: np.ndarray | None,
    pair: Pair,
    metric: str = "euc",
    camera_rule: bool = False,
    seed: int = 0,
) -> Comparison:
    """Return the distances from all tracklets of one modality to all of another, or of the same.

    Args:
        embeddings: `[n, c, p]`.
        people, types, cameras: `[n]`.
        pair: modality of the queries and of the gallery.
        metric: "euc", "cos" or "dot".
        camera_rule: tracklets with the person and the camera of the query are no candidates.
        seed: of the draw of queries, if there are too many.
    """
    query, gallery = (np.flatnonzero(types == modality) for modality in pair)
    most = max(1, MOST_DISTANCES // max(1, len(gallery)))
    if len(query) > most:
        query = np.sort(np.random.default_rng(seed).choice(query, most, replace=False))
    features = torch.as_tensor(embeddings)
    distance = cuda_dist(features[torch.from_numpy(query)], features[torch.from_numpy(gallery)], metric).cpu().numpy()
    distance = distance.astype(np.float64)
    itself = query[:, None] == gallery
    distance[itself] = np.inf
    removed = itself
    if camera_rule and cameras is not None:
        removed = itself | ((people[query][:, None] == people[gallery]) & (cameras[query][:, None] == cameras[gallery]))
    return Comparison(distance, people[query], people[gallery], removed)


def calibrate(
    embeddings: np.ndarray | torch.Tensor,
    people: np.ndarray,
    types: np.ndarray,
    cameras: np.ndarray | None = None,
    metric: str = "euc",
    camera_rule: bool = False,
) -> tuple[dict[Pair, PairCalibration], dict[Pair, Searches]]:
    """Return the calibration, and searches with half of the people enrolled, of each pair with enough tracklets."""
    pairs: dict[Pair, PairCalibration] = {}
    searches: dict[Pair, Searches] = {}
    for one, other in product(Modality, Modality):
        pair = (str(one), str(other))
        comparison = compare_modalities(embeddings, people, types, cameras, pair, metric, camera_rule)
        try:
            pairs[pair] = comparison.fit()
        except DataError:
            continue
        searches[pair] = comparison.search_halves()
    return pairs, searches


def held_out(comparison: Comparison, level: float, draws: int = HELD_OUT_DRAWS, seed: int = 0) -> HeldOut:
    """Calibrate on two thirds of the people, enrol half of the others, search for all the others, and repeat.

    Raises:
        DataError: two thirds of the people are too few for a calibration.
    """
    people = np.union1d(comparison.query_people, comparison.gallery_people)
    verdicts, plain, normalised, sizes = [], [], [], []
    for order in orders(people, draws, seed):
        known, others = np.split(order, [2 * len(order) // 3])
        enrolled = others[: len(others) // 2]
        calibration, rest = comparison.of(known).fit(), comparison.of(others)
        size = int(np.isin(rest.gallery_people, enrolled).sum())
        arguments = (rest.query_people, rest.gallery_people, enrolled, rest.removed)
        searches = search_enrolled(rest.distance, *arguments)
        threshold = calibration.distance_at(level, max(size, 1))
        verdicts.append((searches.fpir(threshold), searches.accepted(threshold), searches.fnir(threshold)))
        plain.append(searches)
        normalised.append(search_enrolled(_normalised(comparison, known, others), *arguments))
        sizes.append(size)
    fpir, accepted, fnir = np.nanmean(np.array(verdicts), axis=0)
    at_rate = [(joined := pooled(iter(part))).accepted(joined.threshold_at(level)) for part in (plain, normalised)]
    return HeldOut(float(fpir), float(accepted), float(fnir), float(np.mean(sizes)), at_rate[0], at_rate[1])


def _normalised(comparison: Comparison, known: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distances among the other people after S-norm against the known ones, `[queries, gallery]`."""
    rows = [np.flatnonzero(np.isin(comparison.query_people, part)) for part in (known, others)]
    columns = [np.flatnonzero(np.isin(comparison.gallery_people, part)) for part in (known, others)]
    block = comparison.distance
    return s_norm(*(block[np.ix_(rows[i], columns[j])] for i, j in ((1, 1), (1, 0), (0, 1))))


def open_set_results(searches: Mapping[Pair, Searches]) -> dict[str, Any]:
    """Return the DET curve of each pair of modalities, as `<query>_to_<gallery>`, with the numbers of searches."""
    return {
        f"{query}_to_{gallery}": {
            "mated": int(outcome.mated.sum()),
            "non_mated": int((~outcome.mated).sum()),
            **outcome.det(),
        }
        for (query, gallery), outcome in searches.items()
    }
