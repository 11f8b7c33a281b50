"""Results of a run by camera pair, and by a value of the query such as its length or silhouette area."""

from collections.abc import Callable, Iterable

import numpy as np

from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.silhouettes.network import silhouettes_of

Row = tuple[str, int, float, float]
# Queries with a match, Rank-1 and mAP in percent, and the most frequent wrong first answer with its number.
PersonRow = tuple[int, float, float, str]
# A number of frames of a tracklet, or None if they cannot be read.
Look = Callable[[int, int], np.ndarray | None]
HEADS = ("queries", "Rank-1, %", "mAP, %")
# Frames of a tracklet that its silhouette area is measured on.
AREA_FRAMES = 2


def by_camera_pair(ranking: Ranking) -> list[Row]:
    """Rank the queries of each camera among the gallery of each camera alone.

    Returns:
        ("query camera to gallery camera", queries with a match there, Rank-1, mAP), in percent.
    """
    query_cameras, gallery_cameras = ranking.cameras[ranking.query], ranking.cameras[ranking.gallery]
    rows = []
    for query_camera in np.unique(query_cameras):
        for gallery_camera in np.unique(gallery_cameras):
            metrics = ranking.metrics_among(
                np.flatnonzero(query_cameras == query_camera), np.flatnonzero(gallery_cameras == gallery_camera)
            )
            rows.append((f"{query_camera} to {gallery_camera}", *_summary(metrics.ap, metrics.first_hit)))
    return rows


def by_value(ranking: Ranking, values: np.ndarray, bins: int = 4) -> list[Row]:
    """Group the queries by a value into `bins` groups of about the same size.

    Args:
        values: (tracklets), one value per tracklet of the run; tracklets with NaN are skipped.

    Returns:
        ("lowest to highest value", queries with a match, Rank-1, mAP), in percent.
    """
    query_values = np.asarray(values, dtype=float)[ranking.query]
    usable = ranking.valid & ~np.isnan(query_values)
    if not usable.any():
        return []
    edges = np.unique(np.quantile(query_values[usable], np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    rows = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        below = (query_values <= high) if high == edges[-1] else (query_values < high)
        group = usable & (query_values >= low) & below
        if group.any():
            numbers = _summary(ranking.metrics.ap[group], ranking.metrics.first_hit[group])
            rows.append((_span(query_values[group]), *numbers))
    return rows


def by_person(ranking: Ranking) -> dict[str, PersonRow]:
    """Return the results of the queries of each person."""
    labels = ranking.run.features.labels
    people, rows = labels[ranking.query], {}
    for person in np.unique(people):
        queries = np.flatnonzero(people == person)
        first_hits = ranking.metrics.first_hit[queries]
        numbers = _summary(ranking.metrics.ap[queries], first_hits)
        firsts = [labels[ranking.gallery[ranking.order(row)[0]]] for row in queries[first_hits > 1].tolist()]
        names, counts = np.unique(firsts, return_counts=True)
        mistaken = f"{names[counts.argmax()]} ({counts.max()})" if len(names) else ""
        rows[str(person)] = (*numbers, mistaken)
    return rows


def silhouette_areas(network: PlainNetwork, look: Look, tracklets: Iterable[int], total: int) -> np.ndarray:
    """Return the share of the frame that the mask covers, in percent, (total).

    It is NaN for tracklets that are not listed or whose frames cannot be read.
    """
    areas = np.full(total, np.nan)
    for tracklet in tracklets:
        pictures = look(tracklet, AREA_FRAMES)
        if pictures is None:
            continue
        mask = silhouettes_of(network, np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).mask
        areas[tracklet] = 100 * float((mask > 0.5).float().mean())
    return areas


def _span(values: np.ndarray) -> str:
    """Return "lowest to highest", or the value that all share."""
    lowest, highest = f"{values.min():.4g}", f"{values.max():.4g}"
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _summary(ap: np.ndarray, first_hit: np.ndarray) -> tuple[int, float, float]:
    """Return the number of valid queries, Rank-1 and mAP in percent; NaN without a valid query."""
    valid = first_hit > 0
    if not valid.any():
        return 0, np.nan, np.nan
    return int(valid.sum()), 100 * float((first_hit[valid] == 1).mean()), 100 * float(ap[valid].mean())
