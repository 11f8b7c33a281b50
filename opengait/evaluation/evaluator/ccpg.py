"""CCPG: clothing changes by garment, by gait and by person re-identification protocol."""

import logging
from typing import Any

import numpy as np

from opengait.evaluation.distance import Metric
from opengait.evaluation.gallery import (
    Tracklets,
    compare,
    mean_of_known,
    note_small,
    protocol_of,
    rank_percent,
    warn_of_gaps,
    without_diagonal,
)

log = logging.getLogger("opengait")

# Condition -> (types of the probes, types of the gallery).
PROTOCOLS = {
    "CCPG": {
        "CL": (["U0_D0_BG", "U0_D0"], ["U1_D1", "U2_D2", "U3_D3"]),
        "UP": (["U3_D3"], ["U0_D3"]),
        "DN": (["U1_D0"], ["U1_D1"]),
        "BG": (["U0_D0_BG"], ["U0_D0"]),
    }
}


def evaluate_CCPG(data: dict[str, Any], dataset: str, metric: Metric = "euc") -> dict[str, np.ndarray]:  # noqa: N802
    """Return the Rank-1 in % of each condition as a views x views matrix (probe view, gallery view).

    A view is the part of a tracklet's view before the first `_`.

    Args:
        data: see `opengait.evaluation.evaluator`.
        dataset: "CCPG".
        metric: "euc", "cos" or "dot".

    Raises:
        ConfigError: the dataset or the metric is unknown.
    """
    conditions = protocol_of(PROTOCOLS, dataset, "evaluate_CCPG")
    tracklets = Tracklets.from_data(data)
    cameras = np.array([view.split("_")[0] for view in tracklets.views], dtype=np.str_)
    tracklets = Tracklets(tracklets.embeddings, tracklets.labels, tracklets.types, cameras)
    views = np.unique(cameras)
    pairs = {}
    for name, (probe_types, gallery_types) in conditions.items():
        probe = tracklets.where(np.isin(tracklets.types, probe_types))
        gallery = tracklets.where(np.isin(tracklets.types, gallery_types))
        log.info("%s", ("gallery length", len(gallery), gallery_types, "probe length", len(probe), probe_types))
        pairs[name] = (probe, gallery)

    _log_reidentification(pairs, metric)
    matrices = {name: _by_view(probe, gallery, views, metric) for name, (probe, gallery) in pairs.items()}
    means = {name: without_diagonal(matrix) for name, matrix in matrices.items()}
    warn_of_gaps(means, views)
    log.info("===Rank-1 (Include identical-view cases)===")
    log.info(_line({name: mean_of_known(matrix) for name, matrix in matrices.items()}))
    log.info("===Rank-1 (Exclude identical-view cases)===")
    log.info(_line({name: mean_of_known(values) for name, values in means.items()}))
    log.info("===Rank-1 of each angle (Exclude identical-view cases)===")
    with np.printoptions(nanstr="-"):
        for name, values in means.items():
            log.info("%s: %s", name, np.array2string(values, precision=2, floatmode="fixed", suppress_small=True))
    return {f"scalar/test_accuracy/{name}": np.nan_to_num(matrix) for name, matrix in matrices.items()}


def _log_reidentification(pairs: dict[str, tuple[Tracklets, Tracklets]], metric: str) -> None:
    for _, gallery in pairs.values():
        note_small(gallery)
    rankings = {name: compare(probe, gallery, metric, drop_same_view=True) for name, (probe, gallery) in pairs.items()}
    for title, values in (
        ("Rank-1", {name: metrics.cmc[0] * 100 for name, metrics in rankings.items()}),
        ("mAP", {name: metrics.mean_ap * 100 for name, metrics in rankings.items()}),
        ("mINP", {name: metrics.mean_inp * 100 for name, metrics in rankings.items()}),
    ):
        log.info("===%s (Exclude identical-view cases for Person Re-Identification)===", title)
        log.info(_line(values))


def _by_view(probe: Tracklets, gallery: Tracklets, views: np.ndarray, metric: str) -> np.ndarray:
    matrix = np.full((len(views), len(views)), np.nan)
    for row, probe_view in enumerate(views):
        probe_part = probe.where(probe.views == probe_view)
        for column, gallery_view in enumerate(views):
            gallery_part = gallery.where(gallery.views == gallery_view)
            if len(probe_part) and len(gallery_part):
                matrix[row, column] = rank_percent(compare(probe_part, gallery_part, metric), 1)
    return matrix


def _line(values: dict[str, float]) -> str:
    return ",\t".join(f"{name}: {value:.3f}" for name, value in values.items())
