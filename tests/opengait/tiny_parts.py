"""An extension package with an evaluator whose results are nested."""

import numpy as np

from opengait import registry


def nearest_other(data: dict, dataset: str, metric: str = "euc", digits: int = 6) -> dict:
    """Return how often the nearest other tracklet has the same label, overall and by type, and a checksum."""
    assert metric == "euc"
    features = data["embeddings"].reshape(len(data["labels"]), -1).astype(np.float64)
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    labels, types = np.asarray(data["labels"]), np.asarray(data["types"])
    hits = labels[distance.argmin(1)] == labels
    return {
        "scalar/test_accuracy/all": float(hits.mean()),
        "by_type": {kind: hits[types == kind].mean() for kind in sorted(set(types))},
        "checksum": round(float((features * np.arange(1, len(features) + 1)[:, None]).sum()), digits),
    }


def register() -> None:
    registry.evaluators.add(nearest_other)
