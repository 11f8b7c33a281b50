"""Base class of the engine models around a method's plain network."""

from typing import Any

import torch

from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.restore import hinted_path
from opengait.errors import ConfigError
from opengait.modeling.base_model import BaseModel
from opengait_ext.models.shared.modality import modality_indices
from opengait_ext.models.shared.plain_network import PREFIX, PlainNetwork, network_entries


class CrossModalModel(BaseModel):
    """Engine model around `self.network`, a `PlainNetwork` that is told the modality of each tracklet.

    A subclass sets `network_class` and defines `loss_terms` or `forward`. Parts in `network_class.frozen` are left out
    of checkpoints, since they have weight files of their own; a test needs no classifiers and ignores those of a
    checkpoint.
    `model_cfg.num_classes` has to be the number of training identities.
    """

    network_class: type[PlainNetwork]
    network_prefix = PREFIX

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Build `self.network`, for a test without classifiers and without the weight files that a checkpoint replaces.

        Raises:
            ConfigError: `model_cfg` does not describe such a network.
            CheckpointError: a weight file or the checkpoint cannot be used.
        """
        kind = self.network_class
        self.ignored_state_prefixes = tuple(PREFIX + name for name in kind.frozen)
        testing = self.phase == "test"
        if testing:
            self.ignored_state_prefixes += tuple(PREFIX + name for name in kind.classifiers)
            model_cfg = dict(model_cfg) | {"num_classes": None}
        if testing and self.engine_cfg["restore_hint"] and self.engine_cfg["restore_ckpt_strict"]:
            model_cfg = kind.without_replaced_weights(model_cfg, self.checkpoint_entries)
        self.network = kind.from_config(model_cfg)

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
        # Only datasets of visible and infrared tracklets distinguish people who are no classes.
        labels = getattr(loader.dataset, "classes", loader.dataset.label_set)
        identities, classes = len(labels), self.cfgs["model_cfg"].get("num_classes")
        if train and identities != classes:
            raise ConfigError(
                f"The training split has {identities} identities, but model_cfg.num_classes is {classes}; "
                f"add --set model_cfg.num_classes={identities}."
            )
        return loader

    def described(self, inputs: tuple[Any, ...]) -> Any:
        """Return the network's output for a batch `(ipts, labels, types, views, seqL)`.

        Raises:
            ConfigError: tracklets of unequal length are packed.
            DataError: a tracklet is neither visible nor infrared.
        """
        ipts, _, types, _, seq_lengths = inputs
        if seq_lengths is not None:
            raise ConfigError(
                f"{type(self).__name__} takes tracklets of equal length; choose a sample_type that starts with fixed_."
            )
        frames, *others = ipts
        return self.network(frames, modality_indices(types), *others)

    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        """Describe a batch; in training with the arguments of the losses that `loss_cfg` lists."""
        output = self.described(inputs)
        return {
            "training_feat": self.requested(self.loss_terms(output, inputs)) if self.training else None,
            "visual_summary": {},
            "inference_feat": {"embeddings": output.descriptor},
        }

    def loss_terms(self, output: Any, inputs: tuple[Any, ...]) -> dict[str, Any]:
        """Return the arguments of every loss that the network's output on a batch can feed, by `log_prefix`."""
        raise NotImplementedError

    def requested(self, terms: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of those losses that `loss_cfg` lists, by `log_prefix`."""
        return {name: arguments for name, arguments in terms.items() if name in self.loss_aggregator.losses}
