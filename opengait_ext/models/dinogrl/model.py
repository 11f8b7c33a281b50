"""DinoGRL as an engine model around `DinoGRLNet`, with the arguments of its losses."""

from typing import Any

import torch

from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.restore import hinted_path
from opengait.errors import ConfigError, DataError
from opengait.modeling.base_model import BaseModel
from opengait_ext.data import Modality
from opengait_ext.models.dinogrl.network import PREFIX, DinoGRLNet, DinoGRLOutput, StreamOutput
from opengait_ext.models.shared.plain_network import network_entries

# Arguments of losses by `log_prefix`.
LossTerms = dict[str, dict[str, torch.Tensor | None]]


class DinoGRL(BaseModel):
    """Engine model around `DinoGRLNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `appearance_identity` and `gait_identity` (logits,
    labels), `appearance_triplet` and `gait_triplet` (embeddings, labels), `mask` (decoded, target), `smoothness` and
    `diversity` (gait_prior), `mask_smoothness` (probabilities). Only the terms listed in `loss_cfg` are included.
    """

    network_class = DinoGRLNet
    network_prefix = PREFIX
    # The frozen vision model has its own weight file, so checkpoints may omit it. If a checkpoint has it, as the
    # release's do, the checkpoint's is used.
    ignored_state_prefixes: tuple[str, ...] = tuple(PREFIX + name for name in DinoGRLNet.frozen)

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        testing = self.phase == "test"
        if testing:
            # Descriptors need no classifiers, so those of a checkpoint are ignored.
            self.ignored_state_prefixes += tuple(PREFIX + name for name in DinoGRLNet.classifiers)
            model_cfg = dict(model_cfg) | {"num_classes": None}
        if testing and self.engine_cfg["restore_hint"] and self.engine_cfg["restore_ckpt_strict"]:
            model_cfg = DinoGRLNet.without_replaced_weights(model_cfg, self.checkpoint_entries)
        self.network = DinoGRLNet.from_config(model_cfg)

    def checkpoint_entries(self) -> dict[str, torch.Tensor]:
        """Return the network's entries in the checkpoint that `restore_hint` names."""
        path = hinted_path(self, self.engine_cfg["restore_hint"])
        return network_entries(load_checkpoint(path), PREFIX)

    def init_parameters(self) -> None:
        """Keep the network's own initialisation; the engine's general rule would overwrite pretrained weights."""

    def get_loader(self, data_cfg: dict[str, Any], train: bool = True) -> Any:
        """Return the engine's loader, after checking that `num_classes` is the number of training identities.

        Raises:
            ConfigError: the numbers differ.
        """
        loader = super().get_loader(data_cfg, train)
        identities, classes = len(loader.dataset.label_set), self.cfgs["model_cfg"].get("num_classes")
        if train and identities != classes:
            raise ConfigError(
                f"The training split has {identities} identities, but model_cfg.num_classes is {classes}; "
                f"add --set model_cfg.num_classes={identities}."
            )
        return loader

    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        ipts, labels, types, _, seq_lengths = inputs
        if seq_lengths is not None:
            raise ConfigError("DinoGRL takes tracklets of equal length; choose a sample_type that starts with fixed_.")
        frames, *masks = ipts
        output = self.network(frames, modality_indices(types), *masks)
        visual = {} if output.silhouettes is None else {"image/silhouette": output.silhouettes.mask}
        return {
            "training_feat": self.requested_terms(output, labels) if self.training else None,
            "visual_summary": visual,
            "inference_feat": {"embeddings": output.descriptor},
        }

    def requested_terms(self, output: DinoGRLOutput, labels: torch.Tensor) -> LossTerms:
        """Return the arguments of the losses that `loss_cfg` lists (Table 4)."""
        requested = self.loss_aggregator.losses
        return {name: arguments for name, arguments in loss_terms(output, labels).items() if name in requested}


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


def modality_indices(types: list[str]) -> torch.Tensor:
    """Return the modalities as long (n), 0 for "visible" and 1 for "infrared".

    Raises:
        DataError: a tracklet's type is neither.
    """
    values = [modality.value for modality in Modality]
    unknown = sorted(set(types) - set(values))
    if unknown:
        raise DataError(f"A tracklet's type is {unknown[0]!r}; expected {' or '.join(values)}.")
    return torch.tensor([Modality(name).number for name in types])
