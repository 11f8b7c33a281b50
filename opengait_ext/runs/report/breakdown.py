"""Where a run is good and where not: numbers by camera pair, tracklet length and silhouette area."""

import numpy as np

from opengait_ext.runs.tested_run import Ranking

Row = tuple[str, int, float, float]
HEADS = ("queries", "Rank-1, %", "mAP, %")


def by_camera_pair(ranking: Ranking) -> list[Row]:
    """For each camera of the query and of the gallery: the ranking among that camera's tracklets alone.

    Returns:
        ("query camera to gallery camera", queries with a match there, Rank-1, mAP), in percent.
    """
    asked, found = ranking.cameras[ranking.query], ranking.cameras[ranking.gallery]
    rows = []
    for camera in np.unique(asked):
        for other in np.unique(found):
            kept = np.flatnonzero(asked == camera)
            columns = np.flatnonzero(found == other)
            hits = _hits(ranking, kept, columns)
            rows.append((f"{camera} to {other}", *_numbers(hits)))
    return rows


def by_value(ranking: Ranking, values: np.ndarray, bins: int = 4) -> list[Row]:
    """Queries in `bins` groups of about the same size by a value of theirs.

    Args:
        values: (tracklets) a number for each of the run's tracklets; NaN leaves one out.

    Returns:
        ("least to largest value", queries with a match, Rank-1, mAP), in percent.
    """
    own = np.asarray(values, dtype=float)[ranking.query]
    usable = ranking.valid & ~np.isnan(own)
    if not usable.any():
        return []
    edges = np.unique(np.quantile(own[usable], np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    rows = []
    for place, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        last = place == len(edges) - 2
        of = usable & (own >= low) & ((own <= high) if last else (own < high))
        if of.any():
            rows.append((_span(own[of]), *_numbers(ranking.hits[of])))
    return rows


def _span(values: np.ndarray) -> str:
    """The least and the largest value, or the one that all have."""
    least, most = f"{values.min():.4g}", f"{values.max():.4g}"
    return least if least == most else f"{least} to {most}"


def _hits(ranking: Ranking, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """`Ranking.hits` among some queries and gallery tracklets."""
    where = np.ix_(rows, columns)
    removed = ranking.removed[where]
    order = np.argsort(np.where(removed, np.inf, ranking.distance[where]), axis=1, kind="stable")
    return np.take_along_axis(ranking.matches[where] & ~removed, order, axis=1)


def _numbers(hits: np.ndarray) -> tuple[int, float, float]:
    hits = hits[hits.any(axis=1)]
    if not len(hits):
        return 0, np.nan, np.nan
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    average = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    return len(hits), 100 * float(hits[:, 0].mean()), 100 * float(average.mean())
