"""Submission files for the GREW and HID competitions, which keep the probe labels secret."""

import csv
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait.evaluation.distance import Metric, check_rerank, cuda_dist
from opengait.evaluation.gallery import Tracklets, require_both
from opengait.evaluation.reranking import re_ranking

log = logging.getLogger("opengait")
_GREW_RANKS = 20


def GREW_submission(data: dict[str, Any], dataset: str, metric: Metric = "euc") -> None:  # noqa: N802
    """Write `GREW_result/<time>.csv`: the ids of the 20 nearest gallery tracklets (types 01, 02) of each probe (03).

    Raises:
        ConfigError: the dataset is not GREW.
        DataError: there are no probes or no gallery tracklets, or an id is not a number.
    """
    if dataset != "GREW":
        raise ConfigError(f"data_cfg.test_dataset_name: GREW_submission supports GREW, got {dataset!r}.")
    log.info("Evaluating GREW")
    tracklets = Tracklets.from_data(data)
    probe = tracklets.where(tracklets.types == "03")
    gallery = tracklets.where(np.isin(tracklets.types, ("01", "02")))
    require_both(probe, gallery, "the types of the test set: 03 and 01, 02")
    invalid = sorted({label for label in gallery.labels.tolist() if not label.isdecimal()})
    if invalid:
        raise DataError(
            f"GREW_submission: expected numbers as gallery ids, got {invalid[0]!r}; check the folders of the test set."
        )
    order = cuda_dist(probe.embeddings, gallery.embeddings, metric).sort(dim=1, stable=True).indices
    nearest = gallery.labels[order[:, :_GREW_RANKS].cpu().numpy()]
    header = ["videoId", *(f"rank{rank + 1}" for rank in range(_GREW_RANKS))]
    _write("GREW_result", header, [[view, *map(int, ids)] for view, ids in zip(probe.views, nearest, strict=True)])


def HID_submission(  # noqa: N802
    data: dict[str, Any], dataset: str, metric: Metric = "euc", rerank: bool = True
) -> None:
    """Write `HID_result/<time>.csv`: the id of the nearest gallery tracklet for each tracklet labelled `probe`.

    `rerank` re-ranks the distances by k-reciprocal neighbourhoods (k1 = k2 = 6, lambda 0.3).

    Raises:
        DataError: there are no probes or no gallery tracklets.
        ConfigError: `rerank` with a metric that is no distance.
    """
    log.info("Evaluating HID")
    if rerank:
        check_rerank(metric)
    tracklets = Tracklets.from_data(data)
    probe = tracklets.where(tracklets.labels == "probe")
    gallery = tracklets.where(tracklets.labels != "probe")
    require_both(probe, gallery, "the labels of the test set: `probe` and ids")
    if rerank:
        log.info("Starting Re-ranking")
        embeddings = np.concatenate([np.asarray(probe.embeddings), np.asarray(gallery.embeddings)])
        distances = re_ranking(cuda_dist(embeddings, embeddings, metric), len(probe), k1=6, k2=6, lambda_value=0.3)
    else:
        distances = cuda_dist(probe.embeddings, gallery.embeddings, metric)
    nearest = gallery.labels[distances.sort(dim=1, stable=True).indices[:, 0].cpu().numpy()]
    _write("HID_result", ["videoID", "label"], list(zip(probe.views, nearest, strict=True)))


def _write(folder: str, header: list[str], rows: list) -> None:
    path = Path(folder) / f"{datetime.now():%Y-%m%d-%H%M%S}.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    log.info("Wrote %s", path)
