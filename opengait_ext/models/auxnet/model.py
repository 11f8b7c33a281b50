"""AuxNet as an engine model around `AuxNetNet`, with the arguments of its losses."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from opengait.errors import ConfigError
from opengait_ext.data.tracklet import Role, parse_view
from opengait_ext.models.auxnet.network import AuxNetNet, AuxNetOutput
from opengait_ext.models.shared.engine_model import CrossModalModel


class AuxNet(CrossModalModel):
    """Engine model around `AuxNetNet`.

    `training_feat` holds, for the `log_prefix`es of `loss_cfg`: `identity` (logits, labels), `triplet` and `auxiliary`
    (embeddings, labels), the features before the neck. Only the terms listed in `loss_cfg` are included. The auxiliary
    tracklets of a batch, whose views say so, pass through the network by themselves, before the others.
    """

    network_class = AuxNetNet

    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        """Describe tracklets; see the class for inputs and outputs.

        Raises:
            ConfigError: a loss needs auxiliary tracklets, but the batch has none.
        """
        terms: dict[str, dict[str, Any]] = {}
        auxiliary, others = split(inputs) if self.training else (None, inputs)
        if auxiliary is not None:
            features = self.described(auxiliary).features
            terms["auxiliary"] = {"embeddings": features.unsqueeze(2), "labels": auxiliary[1]}
        elif self.training and "auxiliary" in self.loss_aggregator.losses:
            raise ConfigError(
                "The loss 'auxiliary' needs auxiliary tracklets; set data_cfg.auxiliary: apart and "
                "trainer_cfg.sampler.auxiliary: true, or remove the loss."
            )
        output: AuxNetOutput = self.described(others)
        return {
            "training_feat": self.requested(terms | loss_terms(output, others[1])) if self.training else None,
            "visual_summary": {},
            "inference_feat": {"embeddings": output.descriptor},
        }


def split(inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, tuple[Any, ...]]:
    """Return a batch's auxiliary tracklets, None if there are none, and its others; each as a batch."""
    apart = [parse_view(view).role is Role.AUXILIARY for view in inputs[3]]
    if not any(apart):
        return None, inputs
    rows: list[list[int]] = [[], []]
    for row, is_auxiliary in enumerate(apart):
        rows[not is_auxiliary].append(row)
    return chosen(inputs, rows[0]), chosen(inputs, rows[1])


def chosen(inputs: tuple[Any, ...], rows: Sequence[int]) -> tuple[Any, ...]:
    """Return some rows of a batch `(ipts, labels, types, views, seqL)` of tracklets of equal length."""
    ipts, labels, types, views, lengths = inputs
    index = torch.tensor(rows).to(labels.device, non_blocking=True)
    return (
        [feature[index] for feature in ipts],
        labels[index],
        [types[row] for row in rows],
        [views[row] for row in rows],
        lengths,
    )


def loss_terms(output: AuxNetOutput, labels: Tensor) -> dict[str, dict[str, Any]]:
    """Return the arguments of the losses of tracklets whose people are classes, by `log_prefix`."""
    logits = None if output.logits is None else output.logits.unsqueeze(2)
    return {
        "identity": {"logits": logits, "labels": labels},
        "triplet": {"embeddings": output.features.unsqueeze(2), "labels": labels},
    }
