"""MITML's modality classifier, and the losses on both sides of it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait import distributed
from opengait.engine.sync_batchnorm import synchronised
from opengait.modeling.losses.base import BaseLoss, at_least_float32
from opengait_ext.models.shared.modality import INFRARED, VISIBLE

# Classes of the classifier.
CLASSES = {VISIBLE: 1, INFRARED: 0}
NEITHER = 2
_NARROWEST = 8


class ModalityClassifier(nn.Module):
    """Tells whether a tracklet's feature is of a visible (1) or an infrared (0) one, or of neither (2).

    Stages of Conv1d (3 taps, stride 2), norm and ReLU halve the channels down to 8; from 2048 these are eight stages.
    A vector has length 1, so only the middle tap of each convolution sees it.

    Shape: (n, channels) -> (n, 3).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        while channels > _NARROWEST:
            inner = max(channels // 2, _NARROWEST)
            convolution = nn.Conv1d(channels, inner, 3, stride=2, padding=1)
            self.stages.append(nn.Sequential(convolution, nn.BatchNorm1d(inner), nn.ReLU()))
            channels = inner
        self.head = nn.Linear(channels, 3)

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.head(self.stages(features.unsqueeze(2)).flatten(1))
        return scores


class ModalityLoss(BaseLoss):
    """The modality classifier's own loss: CE(C(x_visible), 1) + CE(C(x_infrared), 0), each a mean over its tracklets.

    The classifier sees each modality by itself, so its norms take the statistics of one. A modality of which the batch
    has fewer than two tracklets, which have no statistics, adds nothing.
    """

    def forward(self, critic: nn.Module, features: Tensor, modality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss, a scalar.

        Args:
            critic: the classifier.
            features: x, `[n, c]`.
            modality: `[n]`, 0 visible, 1 infrared.
        """
        loss = sum_of_modalities(critic, features, modality, CLASSES)
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


class ModalityConfusionLoss(BaseLoss):
    """The network's adversarial loss: CE(C(x_visible), 2) + CE(C(x_infrared), 2), where 2 is "neither".

    The classifier's parameters get no gradient, since the engine lets them require one only in the classifier's step.
    """

    def forward(self, critic: nn.Module, features: Tensor, modality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss, a scalar, of the arguments that `ModalityLoss` takes."""
        loss = sum_of_modalities(critic, features, modality, dict.fromkeys(CLASSES, NEITHER))
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


def sum_of_modalities(critic: nn.Module, features: Tensor, modality: Tensor, classes: dict[int, int]) -> Tensor:
    """Return the sum over modalities of the mean cross entropy, for gradients that are averaged over the ranks."""
    features = at_least_float32(features)
    rows = torch.stack([(modality == index).sum() for index in classes])
    everywhere = distributed.sum_over_ranks(rows)
    norms = [part for part in critic.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    seen = (everywhere if norms and synchronised(norms[0]) else rows).tolist()
    loss = features.sum() * 0.0
    for number, (index, target) in enumerate(classes.items()):
        if seen[number] < 2:
            continue
        scores = critic(features[modality == index])
        losses = F.cross_entropy(scores, scores.new_full((len(scores),), target, dtype=torch.long), reduction="sum")
        loss = loss + losses * distributed.world_size() / everywhere[number]
    return loss
