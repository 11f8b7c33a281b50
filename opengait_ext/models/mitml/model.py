"""MITML as an engine model around `MITMLNet`, with its modality classifier."""

from typing import Any

import torch
from torch import nn

from opengait_ext.models.mitml.modality_classifier import ModalityClassifier
from opengait_ext.models.mitml.network import MITMLNet, MITMLOutput
from opengait_ext.models.shared.engine_model import CrossModalModel
from opengait_ext.models.shared.modality import modality_indices


class MITML(CrossModalModel):
    """Engine model around `MITMLNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `identity` (logits, labels), `triplet` (embeddings,
    labels), and `modality` and `confusion` (critic, features, modality), the sides of the modality classifier, which
    exists in training only. Only the terms listed in `loss_cfg` are included.
    """

    network_class = MITMLNet
    network: MITMLNet

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        super().build_network(model_cfg)
        if self.phase == "train":
            self.modality_classifier = ModalityClassifier(self.network.channels)

    def loss_terms(self, output: MITMLOutput, inputs: tuple[Any, ...]) -> dict[str, Any]:
        _, labels, types, _, _ = inputs
        modality = modality_indices(types).to(labels.device)
        return loss_terms(output, labels, modality, self.modality_classifier)

    def card(self) -> dict[str, Any]:
        """Say that all numbers are of one checkpoint."""
        return {"checkpoints": "one for all numbers; the authors kept the best of four, one per direction and metric"}


def loss_terms(
    output: MITMLOutput, labels: torch.Tensor, modality: torch.Tensor, critic: nn.Module
) -> dict[str, dict[str, Any]]:
    """Return the arguments of the losses, by `log_prefix`."""
    logits = None if output.logits is None else output.logits.unsqueeze(2)
    of_modality = {"critic": critic, "features": output.features, "modality": modality}
    return {
        "identity": {"logits": logits, "labels": labels},
        "triplet": {"embeddings": output.features.unsqueeze(2), "labels": labels},
        "modality": of_modality,
        "confusion": of_modality,
    }
