"""Open-set identification in NIST's terms: FPIR, FNIR and the DET curve.

A search is mated if the person of the query is enrolled in the gallery, and non-mated otherwise. At a threshold T of
the distance,

    FPIR(N, T) = non-mated searches of a gallery of N with a candidate at T or nearer / non-mated searches
    FNIR(N, R, T) = mated searches without their mate among the R nearest, at T or nearer / mated searches

(Grother et al., Face Recognition Vendor Test, Part 2: Identification; ISO/IEC 19795-1). Here R is 1. The DET curve is
FNIR against FPIR for all T.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# False-positive identification rates at which the DET curve is saved.
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
DRAWS = 20


@dataclass(frozen=True)
class Searches:
    """Outcomes of s searches.

    Attributes:
        nearest: float `[s]`, distance of the nearest candidate; infinity if there is none.
        mated: bool `[s]`, whether the query's person is enrolled.
        right: bool `[s]`, whether the nearest candidate is the query's person.
    """

    nearest: np.ndarray
    mated: np.ndarray
    right: np.ndarray

    def fpir(self, threshold: float) -> float:
        """Return the share of non-mated searches with a candidate; NaN without such searches."""
        return _share(self.nearest[~self.mated] <= threshold)

    def fnir(self, threshold: float) -> float:
        """Return the share of mated searches whose nearest candidate is wrong or too far; NaN without any."""
        return 1 - _share((self.nearest <= threshold)[self.mated] & self.right[self.mated])

    def accepted(self, threshold: float) -> float:
        """Return the share, among the searches that rank the right person first, of those within the threshold."""
        return _share(self.nearest[self.right] <= threshold)

    def threshold_at(self, fpir: float) -> float:
        """Return the largest threshold whose FPIR is at most `fpir`."""
        ascending = np.sort(self.nearest[~self.mated])
        allowed = int(np.floor(fpir * len(ascending) + 1e-9))
        if allowed >= len(ascending):
            return float("inf")
        # Just below the first distance that is one too many; equal distances are accepted or refused together.
        return float(np.nextafter(ascending[allowed], -np.inf))

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the whole DET curve.

        Returns:
            (thresholds, fpir, fnir), float64 `[k]`: every distance at which a rate changes, ascending, and the rates
            when distances up to it are accepted. NaN without non-mated or mated searches.
        """
        non_mated, hits = self.nearest[~self.mated], self.nearest[self.mated & self.right]
        thresholds = np.unique(np.concatenate([non_mated, hits]))
        thresholds = thresholds[np.isfinite(thresholds)]
        accepted = [np.searchsorted(np.sort(part), thresholds, side="right") for part in (non_mated, hits)]
        mated = int(self.mated.sum())
        nothing = np.full(len(thresholds), np.nan)
        fpir = accepted[0] / len(non_mated) if len(non_mated) else nothing
        return thresholds, fpir, 1 - accepted[1] / mated if mated else nothing

    def det(self, rates: tuple[float, ...] = RATES) -> dict[str, list[float]]:
        """Return the DET curve at some FPIRs: `fpir`, `fnir` (R = 1), the threshold, and `accepted` there."""
        thresholds = [self.threshold_at(rate) for rate in rates]
        return {
            "fpir": list(rates),
            "fnir": list(map(self.fnir, thresholds)),
            "accepted": list(map(self.accepted, thresholds)),
            "threshold": thresholds,
        }


def search_enrolled(
    distance: np.ndarray,
    query_people: np.ndarray,
    gallery_people: np.ndarray,
    enrolled: np.ndarray,
    removed: np.ndarray | None = None,
) -> Searches:
    """Search the part of a gallery that belongs to the enrolled people.

    Args:
        distance: `[queries, gallery]`.
        query_people, gallery_people: identities.
        enrolled: the identities that stay in the gallery.
        removed: bool `[queries, gallery]`, pairs that are no candidates, as by the camera rule.
    """
    columns = np.flatnonzero(np.isin(gallery_people, enrolled))
    candidates = distance[:, columns]
    if removed is not None:
        candidates = np.where(removed[:, columns], np.inf, candidates)
    mates = query_people[:, None] == gallery_people[columns]
    has_mate = (mates & np.isfinite(candidates)).any(axis=1)
    if not len(columns):
        return Searches(np.full(len(distance), np.inf), has_mate, np.zeros(len(distance), dtype=bool))
    best = candidates.argmin(axis=1)
    rows = np.arange(len(distance))
    nearest = candidates[rows, best]
    # A query of an enrolled person without a mate, as by the camera rule, is neither mated nor non-mated.
    kept = has_mate | ~np.isin(query_people, enrolled)
    return Searches(nearest[kept], has_mate[kept], (mates[rows, best] & has_mate)[kept])


def search_halves(
    distance: np.ndarray,
    query_people: np.ndarray,
    gallery_people: np.ndarray,
    removed: np.ndarray | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Searches:
    """Enrol a random half of the people, search for all queries, and repeat; pool the searches of all draws."""
    people = np.union1d(query_people, gallery_people)
    return pooled(
        search_enrolled(distance, query_people, gallery_people, order[: len(people) // 2], removed)
        for order in orders(people, draws, seed)
    )


def orders(people: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield random orders of the people."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield rng.permutation(people)


def pooled(parts: Iterator[Searches]) -> Searches:
    """Join searches."""
    columns = zip(*((part.nearest, part.mated, part.right) for part in parts), strict=True)
    return Searches(*map(np.concatenate, columns))


def s_norm(distance: np.ndarray, of_queries: np.ndarray, of_gallery: np.ndarray) -> np.ndarray:
    """Return distances after symmetric score normalisation (S-norm) against a cohort of other people.

    Each distance is standardised by the mean and the standard deviation of the query's distances to the cohort, and of
    the gallery tracklet's, and the two are averaged (Shum et al., Odyssey 2010).

    Args:
        distance: `[queries, gallery]`.
        of_queries: `[queries, k]`, distances of the queries to the cohort's tracklets of the gallery's modality.
        of_gallery: `[m, gallery]`, distances of the cohort's tracklets of the queries' modality to the gallery.
    """
    by_query = (distance - of_queries.mean(1, keepdims=True)) / of_queries.std(1, keepdims=True)
    by_gallery = (distance - of_gallery.mean(0)) / of_gallery.std(0)
    return np.asarray((by_query + by_gallery) / 2)


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else float("nan")
