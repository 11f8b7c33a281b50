"""AGW and CAJ as an engine model around `AGWNet`."""

from typing import Any

import torch

from opengait_ext.models.agw.network import AGWNet, AGWOutput
from opengait_ext.models.shared.image_model import ImageModel


class AGW(ImageModel):
    """Engine model around `AGWNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `identity` (logits, labels) and `triplet` (embeddings,
    labels), the features before the neck. Only the terms listed in `loss_cfg` are included.
    """

    network_class = AGWNet

    def loss_terms(self, output: AGWOutput, inputs: tuple[Any, ...]) -> dict[str, Any]:
        return loss_terms(output, inputs[1])


def loss_terms(output: AGWOutput, labels: torch.Tensor) -> dict[str, Any]:
    """Return the arguments of the losses, by `log_prefix`."""
    logits = None if output.logits is None else output.logits.unsqueeze(2)
    return {
        "identity": {"logits": logits, "labels": labels},
        "triplet": {"embeddings": output.features.unsqueeze(2), "labels": labels},
    }
