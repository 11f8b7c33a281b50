"""CASIA-B, OUMVLP, CASIA-E and SUSTech1K: rank-k for every pair of views, by walking condition."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengait.evaluation.distance import Metric
from opengait.evaluation.gallery import (
    Tracklets,
    compare,
    mean_of_known,
    percent_array,
    protocol_of,
    rank_percent,
    warn_of_gaps,
    without_diagonal,
)
from opengait.evaluation.ranking import RankMetrics

log = logging.getLogger("opengait")


@dataclass(frozen=True)
class Protocol:
    """Types of the gallery and of each condition's probes.

    Attributes:
        within: match names anywhere in a type, instead of whole types.
        dropped_views: views that are excluded.
        ranks: number of ranks to log.
    """

    gallery: tuple[str, ...]
    probes: dict[str, tuple[str, ...]]
    within: bool = False
    dropped_views: tuple[str, ...] = ()
    ranks: int = 1

    def has(self, types: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return a bool mask of the types that match `names`."""
        if self.within:
            return np.array([any(name in kind for name in names) for kind in types], dtype=bool)
        return np.isin(types, names)


def _casia_e(scene: str, condition: str) -> tuple[str, ...]:
    return tuple(f"{height}-{scene}-{condition}-{number}" for height in "HL" for number in (1, 2))


PROTOCOLS = {
    "CASIA-B": Protocol(
        gallery=("nm-01", "nm-02", "nm-03", "nm-04"),
        probes={"NM": ("nm-05", "nm-06"), "BG": ("bg-01", "bg-02"), "CL": ("cl-01", "cl-02")},
    ),
    "OUMVLP": Protocol(gallery=("01",), probes={"NM": ("00",)}),
    "CASIA-E": Protocol(
        gallery=_casia_e("scene1", "nm"),
        probes={
            name: sum((_casia_e(scene, name.lower()) for scene in ("scene2", "scene3", "scene3_s")), ())
            for name in ("NM", "BG", "CL")
        },
        dropped_views=("270",),
    ),
    "SUSTech1K": Protocol(
        gallery=("00-nm",),
        probes={
            "Normal": ("01-nm",),
            "Bag": ("bg",),
            "Clothing": ("cl",),
            "Carrying": ("cr",),
            "Umberalla": ("ub",),
            "Uniform": ("uf",),
            "Occlusion": ("oc",),
            "Night": ("nt",),
            "Overall": ("01", "02", "03", "04"),
        },
        within=True,
        ranks=5,
    ),
}
CROSS_VIEW = {
    "CASIA-B": Protocol(
        gallery=("nm-02", "bg-02", "cl-02"), probes={"NM": ("nm-01",), "BG": ("bg-01",), "CL": ("cl-01",)}
    ),
    "OUMVLP": Protocol(gallery=("01",), probes={"NM": ("00",)}),
}


def evaluate_indoor_dataset(
    data: dict[str, Any], dataset: str, metric: Metric = "euc", cross_view_gallery: bool = False
) -> dict[str, float]:
    """Return the Rank-1 of each condition in %, averaged over the gallery views that differ from the probe's view.

    Args:
        data: see `opengait.evaluation.evaluator`.
        dataset: a key of `PROTOCOLS`.
        metric: "euc", "cos" or "dot".
        cross_view_gallery: rank all views together (`CROSS_VIEW`) and return Rank-1 and mAP.

    Raises:
        ConfigError: the dataset or the metric is unknown.
    """
    tracklets = Tracklets.from_data(data)
    if cross_view_gallery:
        return _all_views_together(tracklets, protocol_of(CROSS_VIEW, dataset, "cross_view_gallery"), metric)
    return _view_by_view(tracklets, protocol_of(PROTOCOLS, dataset, "evaluate_indoor_dataset"), metric)


def _view_by_view(tracklets: Tracklets, protocol: Protocol, metric: str) -> dict[str, float]:
    tracklets = tracklets.where(~np.isin(tracklets.views, protocol.dropped_views))
    views = np.unique(tracklets.views)
    gallery = tracklets.where(protocol.has(tracklets.types, protocol.gallery))
    galleries = [gallery.where(gallery.views == view) for view in views]
    means: dict[str, list[np.ndarray]] = {}
    for condition, names in protocol.probes.items():
        probe = tracklets.where(protocol.has(tracklets.types, names))
        by_view = np.full((protocol.ranks, len(views), len(views)), np.nan)
        for row, view in enumerate(views):
            probe_part = probe.where(probe.views == view)
            for column, gallery_part in enumerate(galleries):
                if len(probe_part) and len(gallery_part):
                    metrics = compare(probe_part, gallery_part, metric)
                    by_view[:, row, column] = [rank_percent(metrics, rank + 1) for rank in range(protocol.ranks)]
        means[condition] = [without_diagonal(matrix) for matrix in by_view]

    warn_of_gaps({name: by_rank[0] for name, by_rank in means.items()}, views)
    log.info("===Rank-1 (Exclude identical-view cases)===")
    for condition, by_rank in means.items():
        log.info("%s@R1: %s", condition, percent_array(by_rank[0]))
    for rank in range(protocol.ranks):
        log.info("".join(f"{name}@R{rank + 1}: {mean_of_known(values[rank]):.2f}%\t" for name, values in means.items()))
    return {f"scalar/test_accuracy/{name}@R1": mean_of_known(values[0]) for name, values in means.items()}


def _all_views_together(tracklets: Tracklets, protocol: Protocol, metric: str) -> dict[str, float]:
    views = np.unique(tracklets.views)
    gallery = tracklets.where(protocol.has(tracklets.types, protocol.gallery))
    rank_1: dict[str, list[float]] = {}
    mean_ap: dict[str, list[float]] = {}
    for condition, names in protocol.probes.items():
        probe = tracklets.where(protocol.has(tracklets.types, names))
        rankings = [compare(probe.where(probe.views == view), gallery, metric, drop_same_view=True) for view in views]
        rank_1[condition] = [_percent(metrics.cmc[0], metrics) for metrics in rankings]
        mean_ap[condition] = [_percent(metrics.mean_ap, metrics) for metrics in rankings]

    warn_of_gaps(rank_1, views)
    log.info("===Cross View Gallery Evaluation (Excluded identical-view cases)===")
    log.info("========= Rank@1 Acc =========\n%s", _table(rank_1))
    log.info("============= mAP ============\n%s", _table(mean_ap))
    result = {}
    for condition in protocol.probes:
        result[f"scalar/test_accuracy/{condition}-Rank@1"] = mean_of_known(rank_1[condition])
        result[f"scalar/test_accuracy/{condition}-mAP"] = mean_of_known(mean_ap[condition])
    return result


def _percent(share: float, metrics: RankMetrics) -> float:
    """Return a share in %, rounded to 2 digits; NaN if no probe has a match."""
    return float(np.round(share * 100, 2)) if metrics.valid_queries else float("nan")


def _table(values: dict[str, list[float]]) -> str:
    return "".join(
        f"{name}:\t{percent_array(by_view)}, mean: {mean_of_known(by_view):.2f}%\n" for name, by_view in values.items()
    )
