"""M3-ReID as an engine model around `M3ReIDNet`, with the arguments of its losses."""

from typing import Any

from torch import Tensor

from opengait_ext.models.m3_reid.network import M3ReIDNet, M3ReIDOutput
from opengait_ext.models.shared.engine_model import CrossModalModel
from opengait_ext.models.shared.modality import modality_indices


class M3ReID(CrossModalModel):
    """Engine model around `M3ReIDNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `identity` and `frame_identity` (logits, labels),
    `alignment` and `frame_alignment` (embeddings, labels, modality), `frame_diversity` (embeddings) and
    `attention_diversity` (masks). Only the terms listed in `loss_cfg` are included.
    """

    network_class = M3ReIDNet

    def loss_terms(self, output: M3ReIDOutput, inputs: tuple[Any, ...]) -> dict[str, Any]:
        _, labels, types, _, _ = inputs
        return loss_terms(output, labels, modality_indices(types).to(labels.device))


def loss_terms(output: M3ReIDOutput, labels: Tensor, modality: Tensor) -> dict[str, dict[str, Tensor | None]]:
    """Return the arguments of every loss that the network can feed, by `log_prefix`."""
    return {
        "identity": {"logits": output.logits, "labels": labels},
        "frame_identity": {"logits": output.frame_logits, "labels": labels},
        "alignment": {"embeddings": output.embedding, "labels": labels, "modality": modality},
        "frame_alignment": {"embeddings": output.frames, "labels": labels, "modality": modality},
        "frame_diversity": {"embeddings": output.frames},
        "attention_diversity": {"masks": output.masks},
    }
