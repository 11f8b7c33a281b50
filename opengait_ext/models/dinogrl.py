"""DinoGRL as a model of the engine: names its losses and hands over features; the network is `DinoGRLNet`."""

from typing import Any

import torch

from opengait.errors import ConfigError, DataError
from opengait.modeling.base_model import BaseModel
from opengait_ext.data import Modality
from opengait_ext.models.dinogrl_net import DinoGRLNet, DinoGRLOutput, StreamOutput


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

    def get_loader(self, data_cfg: dict[str, Any], train: bool = True) -> Any:
        """The engine's loader, after a look at whether the classifiers have a class for every training identity.

        Raises:
            ConfigError: they do not.
        """
        loader = super().get_loader(data_cfg, train)
        identities, classes = len(loader.dataset.label_set), self.cfgs["model_cfg"].get("num_classes")
        if train and identities != classes:
            raise ConfigError(
                f"The training split has {identities} identities, but model_cfg.num_classes is {classes}; "
                f"add --set model_cfg.num_classes={identities}."
            )
        return loader

    def forward(self, inputs: tuple) -> dict[str, Any]:
        ipts, labels, types, _, seq_lengths = inputs
        if seq_lengths is not None:
            raise ConfigError("DinoGRL takes tracklets of equal length; choose a sample_type that starts with fixed_.")
        frames = ipts[0]
        output = self.network(frames, modality_indices(types).to(frames.device))
        visual = {} if output.silhouettes is None else {"image/silhouette": output.silhouettes.mask}
        return {
            "training_feat": self.asked_terms(output, labels) if self.training else None,
            "visual_summary": visual,
            "inference_feat": {"embeddings": output.descriptor},
        }

    def asked_terms(self, output: DinoGRLOutput, labels: torch.Tensor) -> dict[str, dict[str, torch.Tensor]]:
        """The arguments of the losses that `loss_cfg` lists; the others are left out (Table 4)."""
        asked = self.loss_aggregator.losses
        return {name: arguments for name, arguments in loss_terms(output, labels).items() if name in asked}


def loss_terms(output: DinoGRLOutput, labels: torch.Tensor) -> dict[str, dict[str, torch.Tensor]]:
    """The arguments of every loss that the network can feed, by `log_prefix` (Eq. 18)."""
    terms = stream_terms("appearance", output.appearance, labels)
    if output.gait is not None and output.silhouettes is not None:
        maps = output.silhouettes
        terms |= stream_terms("gait", output.gait, labels)
        terms["mask"] = {"decoded": maps.decoded, "target": maps.target}
        if maps.gait_prior is not None:
            terms["smoothness"] = terms["diversity"] = {"gait_prior": maps.gait_prior}
    return terms


def stream_terms(stream: str, output: StreamOutput, labels: torch.Tensor) -> dict[str, dict[str, torch.Tensor]]:
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
    return torch.tensor([Modality(name).number for name in types])
