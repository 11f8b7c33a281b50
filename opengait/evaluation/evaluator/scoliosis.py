"""Scoliosis1K: screening as classification into negative, neutral and positive."""

import logging
from typing import Any

import numpy as np

from opengait.errors import DataError
from opengait.evaluation.distance import Metric
from opengait.evaluation.gallery import mean_of_known

log = logging.getLogger("opengait")
CLASSES = ("negative", "neutral", "positive")


def evaluate_scoliosis(data: dict[str, Any], dataset: str, metric: Metric = "euc") -> dict[str, float]:
    """Return accuracy and macro-averaged precision, recall and F1 as fractions.

    Args:
        data: `embeddings` are logits `[n, 3, p]`, averaged over parts; `types` are the true classes.
        dataset, metric: ignored.

    Raises:
        DataError: a type is not one of the three classes.
    """
    types = np.asarray(data["types"], dtype=np.str_)
    unknown = sorted(set(types.tolist()) - set(CLASSES))
    if unknown:
        raise DataError(f"Scoliosis types: expected {', '.join(CLASSES)}, got {', '.join(unknown)}.")
    if not len(types):
        log.warning("There are no tracklets to classify; the metrics below are 0.")
    truth = np.array([CLASSES.index(kind) for kind in types], dtype=np.int64)
    prediction = np.asarray(data["embeddings"]).mean(axis=-1).argmax(axis=-1)
    confusion = np.zeros((len(CLASSES), len(CLASSES)))
    np.add.at(confusion, (truth, prediction), 1)
    hits, true, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    # Classes that neither occur nor are predicted do not count in the averages.
    present = (true + predicted) > 0
    precision, recall = _ratio(hits, predicted), _ratio(hits, true)
    values = {
        "accuracy": float(hits.sum() / max(len(truth), 1)),
        "precision": mean_of_known(precision[present]),
        "recall": mean_of_known(recall[present]),
        "f1": mean_of_known(_ratio(2 * hits, true + predicted)[present]),
    }
    names = ("Total Accuracy", "Macro-avg Precision", "Macro-avg Recall", "Macro-avg F1 Score")
    for name, value in zip(names, values.values(), strict=True):
        log.info("%s: %.2f%%", name, value * 100)
    return {f"scalar/test_{name}/": value for name, value in values.items()}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, or 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part, dtype=np.float64), where=whole > 0)
