"""AuxNet as an engine model around `AuxNetNet`, with the arguments of its losses."""

from typing import Any

from torch import Tensor

from opengait_ext.models.auxnet.network import AuxNetNet, AuxNetOutput
from opengait_ext.models.shared.engine_model import CrossModalModel


class AuxNet(CrossModalModel):
    """Engine model around `AuxNetNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `identity` (logits, labels) and `triplet` (embeddings,
    labels), the features before the neck. Only the terms listed in `loss_cfg` are included.
    """

    network_class = AuxNetNet

    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        """Describe tracklets; see the class for inputs and outputs."""
        output: AuxNetOutput = self.described(inputs)
        return {
            "training_feat": self.requested(loss_terms(output, inputs[1])) if self.training else None,
            "visual_summary": {},
            "inference_feat": {"embeddings": output.descriptor},
        }


def loss_terms(output: AuxNetOutput, labels: Tensor) -> dict[str, dict[str, Any]]:
    """Return the arguments of the losses, by `log_prefix`."""
    logits = None if output.logits is None else output.logits.unsqueeze(2)
    return {
        "identity": {"logits": logits, "labels": labels},
        "triplet": {"embeddings": output.features.unsqueeze(2), "labels": labels},
    }
