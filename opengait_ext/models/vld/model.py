"""VLD as an engine model around `VLDNet`."""

from typing import Any

import torch

from opengait_ext.models.shared.engine_model import CrossModalModel
from opengait_ext.models.vld.network import VLDNet, VLDOutput


class VLD(CrossModalModel):
    """Engine model around `VLDNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `visual_identity`, `projected_identity`, `hub_identity`
    and `text_identity` (logits, labels), and `early_triplet`, `visual_triplet`, `projected_triplet` and `hub_triplet`
    (embeddings, labels). Only the terms listed in `loss_cfg` are included.
    """

    network_class = VLDNet

    def loss_terms(self, output: VLDOutput, inputs: tuple[Any, ...]) -> dict[str, Any]:
        return loss_terms(output, inputs[1])


def loss_terms(output: VLDOutput, labels: torch.Tensor) -> dict[str, dict[str, torch.Tensor]]:
    """Return the arguments of the losses, by `log_prefix`."""
    vectors = {"early": output.early, "visual": output.visual, "projected": output.projected, "hub": output.hub}
    return {
        **{
            f"{name}_identity": {"logits": scores.unsqueeze(2), "labels": labels}
            for name, scores in (output.logits or {}).items()
        },
        **{
            f"{name}_triplet": {"embeddings": vector.unsqueeze(2), "labels": labels} for name, vector in vectors.items()
        },
    }
