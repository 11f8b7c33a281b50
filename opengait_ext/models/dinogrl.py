"""DinoGRL as a model of the engine: names its losses and hands over features; the network is `DinoGRLNet`."""

from typing import Any

import torch
from opengait.modeling.base_model import BaseModel

from opengait.errors import ConfigError, DataError
from opengait_ext.data import Modality
from opengait_ext.models.dinogrl_net import DinoGRLNet, DinoGRLOutput


class DinoGRL(BaseModel):
    """Engine model around `DinoGRLNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `appearance_identity` and `gait_identity` (logits,
    labels), `appearance_triplet` and `gait_triplet` (embeddings, labels), `mask` (decoded, target), `smoothness` and
    `diversity` (gait_prior). A term that `loss_cfg` does not list is left out.
    """

    # The frozen vision model comes from its own file, so checkpoints neither carry nor ask for it.
    ignored_state_prefixes = ("network.vision_model.",)

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        self.network = DinoGRLNet.from_config(model_cfg)

    def init_parameters(self) -> None:
        """The parts initialise themselves; the engine's general rule would overwrite pretrained weights."""

    def forward(self, inputs: tuple) -> dict[str, Any]:
        ipts, labels, types, _, seq_lengths = inputs
        if seq_lengths is not None:
            raise ConfigError("DinoGRL takes tracklets of equal length; choose a sample_type that starts with fixed_.")
        frames = ipts[0]
        output = self.network(frames, modality_indices(types).to(frames.device))
        visual = {} if output.silhouettes is None else {"image/silhouette": output.silhouettes.mask}
        return {
            "training_feat": self.loss_inputs(output, labels) if self.training else None,
            "visual_summary": visual,
            "inference_feat": {"embeddings": output.descriptor},
        }

    def loss_inputs(self, output: DinoGRLOutput, labels: torch.Tensor) -> dict[str, dict[str, torch.Tensor]]:
        """Arguments of every loss that `loss_cfg` asks for, by `log_prefix`."""
        terms = stream_terms("appearance", output.appearance, labels)
        if output.silhouettes is not None:
            terms |= stream_terms("gait", output.gait, labels)
            terms["mask"] = {"decoded": output.silhouettes.decoded, "target": output.silhouettes.target}
            if output.silhouettes.gait_prior is not None:
                prior = {"gait_prior": output.silhouettes.gait_prior}
                terms |= {"smoothness": prior, "diversity": prior}
        asked = self.loss_aggregator.losses
        return {name: arguments for name, arguments in terms.items() if name in asked}


def stream_terms(stream: str, output: Any, labels: torch.Tensor) -> dict[str, dict[str, torch.Tensor]]:
    """Arguments of a stream's identity (Eq. 2) and triplet (Eq. 3) losses."""
    return {
        f"{stream}_identity": {"logits": output.logits, "labels": labels},
        f"{stream}_triplet": {"embeddings": output.supervised, "labels": labels},
    }


def modality_indices(types: list[str]) -> torch.Tensor:
    """Long (n): 0 for "visible", 1 for "infrared".

    Raises:
        DataError: a tracklet's type is neither.
    """
    values = [modality.value for modality in Modality]
    unknown = sorted(set(types) - set(values))
    if unknown:
        raise DataError(f"A tracklet's type is {unknown[0]!r}; DinoGRL needs {' or '.join(values)}.")
    return torch.tensor([values.index(name) for name in types])
