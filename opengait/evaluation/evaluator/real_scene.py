"""GREW, HID and TTG-200 with known labels: rank-k between two sets of types."""

import logging
from typing import Any

import numpy as np

from opengait.evaluation.distance import Metric
from opengait.evaluation.gallery import Tracklets, compare, protocol_of, rank_percent, warn_if_empty

log = logging.getLogger("opengait")

# Dataset -> (types of the gallery, types of the probes).
PROTOCOLS = {
    "0001-1000": (("1", "2"), ("3", "4", "5", "6")),
    "HID2021": (("0",), ("1",)),
    "0001-1000-test": (("0",), ("1",)),
    "GREW": (("01",), ("02",)),
    "TTG-200": (("1",), ("2", "3", "4", "5", "6")),
}
RANKS = (1, 5, 10, 20)


def evaluate_real_scene(data: dict[str, Any], dataset: str, metric: Metric = "euc") -> dict[str, float]:
    """Return Rank-1 and Rank-5 in % of all probes, rounded to 2 digits, and log ranks 10 and 20 too.

    Args:
        data: see `opengait.evaluation.evaluator`.
        dataset: a key of `PROTOCOLS`.
        metric: "euc", "cos" or "dot".

    Raises:
        ConfigError: the dataset or the metric is unknown.
        DataError: entries of `data` are missing or differ in length.
    """
    gallery_types, probe_types = protocol_of(PROTOCOLS, dataset, "evaluate_real_scene")
    tracklets = Tracklets.from_data(data)
    probe = tracklets.where(np.isin(tracklets.types, probe_types))
    gallery = tracklets.where(np.isin(tracklets.types, gallery_types))
    warn_if_empty(probe, gallery, f"the types of the test set: {dataset} expects {probe_types} and {gallery_types}")
    metrics = compare(probe, gallery, metric)
    shares = {rank: rank_percent(metrics, rank) if len(probe) else 0.0 for rank in RANKS}
    for rank, share in shares.items():
        log.info("==Rank-%d==", rank)
        log.info("%.3f", share)
    return {f"scalar/test_accuracy/Rank-{rank}": shares[rank] for rank in (1, 5)}
