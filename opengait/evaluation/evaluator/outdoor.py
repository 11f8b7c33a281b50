"""Gait3D, FreeGait and CCGR-MINI: listed probes (or gallery tracklets) against all other tracklets."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from opengait.data.layout import read_partition
from opengait.errors import DataError
from opengait.evaluation.distance import Metric
from opengait.evaluation.gallery import Tracklets, compare, note_small, warn_if_empty

log = logging.getLogger("opengait")


def evaluate_Gait3D(  # noqa: N802
    data: dict[str, Any], dataset: str, metric: Metric = "euc", dataset_partition: str | None = None
) -> dict[str, float]:
    """Return Rank-1, 5, 10, mAP and mINP in %; PROBE_SET lists the probes, and all other tracklets are the gallery.

    Args:
        data: see `opengait.evaluation.evaluator`.
        dataset: ignored.
        metric: "euc" or "cos".
        dataset_partition: the partition file; without it, or if it lacks the list, `./datasets/Gait3D/Gait3D.json`.

    Raises:
        DataError: no readable file has the list.
    """
    return _evaluate(data, metric, dataset_partition, "Gait3D", "PROBE_SET")


def evaluate_FreeGait(  # noqa: N802
    data: dict[str, Any], dataset: str, metric: Metric = "euc", dataset_partition: str | None = None
) -> dict[str, float]:
    """Evaluate as `evaluate_Gait3D` does, with the probes in `./datasets/FreeGait/FreeGait.json`."""
    return _evaluate(data, metric, dataset_partition, "FreeGait", "PROBE_SET")


def evaluate_CCGR_MINI(  # noqa: N802
    data: dict[str, Any], dataset: str, metric: Metric = "euc", dataset_partition: str | None = None
) -> dict[str, float]:
    """Evaluate as `evaluate_Gait3D` does; GALLERY_SET in `./datasets/CCGR-MINI/CCGR-MINI.json` lists the gallery."""
    return _evaluate(data, metric, dataset_partition, "CCGR-MINI", "GALLERY_SET")


def _evaluate(
    data: dict[str, Any], metric: str, partition_file: str | None, dataset: str, part: str
) -> dict[str, float]:
    listed, partition_file = _listed(partition_file, dataset, part)
    tracklets = Tracklets.from_data(data)
    names = ["-".join(parts) for parts in zip(tracklets.labels, tracklets.types, tracklets.views, strict=True)]
    is_probe = np.isin(names, listed, invert=part != "PROBE_SET")
    probe, gallery = tracklets.where(is_probe), tracklets.where(~is_probe)
    warn_if_empty(probe, gallery, f"{part} of {partition_file} against the test set")

    log.info("The test metric you choose is %s.", metric)
    note_small(gallery)
    metrics = compare(probe, gallery, metric)
    result: dict[str, Any] = {
        f"scalar/test_accuracy/Rank-{rank}": np.float32(metrics.cmc[rank - 1] * 100) for rank in (1, 5, 10)
    }
    result["scalar/test_accuracy/mAP"] = np.float64(metrics.mean_ap * 100)
    result["scalar/test_accuracy/mINP"] = np.float64(metrics.mean_inp * 100)
    log.info("%s", result)
    return result


def _listed(partition_file: str | None, dataset: str, part: str) -> tuple[list[str], str]:
    """Return the listed tracklets and the file that lists them.

    OpenGait always reads `./datasets/<dataset>/<dataset>.json`, so the test set's partition file may not contain it.
    """
    fixed = f"./datasets/{dataset}/{dataset}.json"
    files = [file for file in (partition_file, fixed) if file]
    if partition_file and not Path(fixed).is_file():
        files.remove(fixed)
    for file in files:
        listed = read_partition(file).get(part)
        if isinstance(listed, list):
            return listed, file
    raise DataError(f"The partition file {' and '.join(dict.fromkeys(files))} has no list named {part}.")
