"""An extension package with an evaluator whose results are nested, and the losses of `TinyCritic`."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from opengait import registry
from opengait.modeling.losses import BaseLoss


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


class GuessLoss(BaseLoss):
    """Cross entropy of a critic that guesses whether a label is odd."""

    def forward(self, critic: nn.Module, features: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict]:
        loss = F.cross_entropy(critic(features), labels % 2)
        return loss, {"loss": loss.detach()}


class DeceiveLoss(BaseLoss):
    """Cross entropy of features that a critic is to take for the third class."""

    def forward(self, critic: nn.Module, features: torch.Tensor) -> tuple[torch.Tensor, dict]:
        third = torch.full((len(features),), 2)
        loss = F.cross_entropy(critic(features), third)
        return loss, {"loss": loss.detach()}


def register() -> None:
    registry.evaluators.add(nearest_other)
    registry.losses.add(GuessLoss)
    registry.losses.add(DeceiveLoss)
