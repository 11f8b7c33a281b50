"""DEEN as an engine model around `DEENNet`, with the arguments of its losses."""

from typing import Any

from torch import Tensor

from opengait_ext.models.deen.network import DEENNet, DEENOutput
from opengait_ext.models.shared.image_model import ImageModel
from opengait_ext.models.shared.modality import modality_indices


class DEEN(ImageModel):
    """Engine model around `DEENNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `identity` (logits, labels), `triplet` (embeddings,
    labels), `orthogonality` (embeddings) and `pair_mining` (embeddings, labels, modality), all of features before the
    neck but the first. Only the terms listed in `loss_cfg` are included.
    """

    network_class = DEENNet

    def loss_terms(self, output: DEENOutput, inputs: tuple[Any, ...]) -> dict[str, Any]:
        _, labels, types, _, _ = inputs
        return loss_terms(output, labels, modality_indices(types).to(labels.device))


def loss_terms(output: DEENOutput, labels: Tensor, modality: Tensor) -> dict[str, dict[str, Tensor | None]]:
    """Return the arguments of the losses, by `log_prefix`; the triplet compares all versions with each other."""
    versions = output.features.permute(2, 0, 1)
    rows, row_labels = versions.flatten(0, 1).unsqueeze(2), labels.repeat(len(versions))
    return {
        "identity": {"logits": output.logits, "labels": labels},
        "triplet": {"embeddings": rows, "labels": row_labels},
        "orthogonality": {"embeddings": output.features},
        "pair_mining": {"embeddings": output.features, "labels": labels, "modality": modality},
    }
