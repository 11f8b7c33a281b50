"""DinoGRL as an engine model around `DinoGRLNet`, with the arguments of its losses."""

from typing import Any

import torch

from opengait_ext.models.dinogrl.network import DinoGRLNet, DinoGRLOutput, StreamOutput
from opengait_ext.models.shared.engine_model import CrossModalModel

# Arguments of losses by `log_prefix`.
LossTerms = dict[str, dict[str, torch.Tensor | None]]


class DinoGRL(CrossModalModel):
    """Engine model around `DinoGRLNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `appearance_identity` and `gait_identity` (logits,
    labels), `appearance_triplet` and `gait_triplet` (embeddings, labels), `mask` (decoded, target), `smoothness` and
    `diversity` (gait_prior), `mask_smoothness` (probabilities). Only the terms listed in `loss_cfg` are included.
    """

    network_class = DinoGRLNet

    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        output: DinoGRLOutput = self.described(inputs)
        visual = {} if output.silhouettes is None else {"image/silhouette": output.silhouettes.mask}
        return {
            "training_feat": self.requested(loss_terms(output, inputs[1])) if self.training else None,
            "visual_summary": visual,
            "inference_feat": {"embeddings": output.descriptor},
        }


def loss_terms(output: DinoGRLOutput, labels: torch.Tensor) -> LossTerms:
    """Return the arguments of every loss that the network can feed, by `log_prefix` (Eq. 18)."""
    terms = stream_terms("appearance", output.appearance, labels)
    if output.gait is not None and output.silhouettes is not None:
        maps = output.silhouettes
        terms |= stream_terms("gait", output.gait, labels)
        if maps.decoded is not None:
            terms["mask"] = {"decoded": maps.decoded, "target": maps.target}
        if maps.probabilities is not None:
            terms["mask_smoothness"] = {"probabilities": maps.probabilities}
        if maps.gait_prior is not None:
            terms["smoothness"] = terms["diversity"] = {"gait_prior": maps.gait_prior}
    return terms


def stream_terms(stream: str, output: StreamOutput, labels: torch.Tensor) -> LossTerms:
    """Return the arguments of a stream's identity (Eq. 2) and triplet (Eq. 3) losses."""
    return {
        f"{stream}_identity": {"logits": output.logits, "labels": labels},
        f"{stream}_triplet": {"embeddings": output.supervised, "labels": labels},
    }
