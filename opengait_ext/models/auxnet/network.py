"""AuxNet's networks: two stems, shared stages, means over positions and frames, and a BN neck."""

from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from opengait_ext.models.shared.modality import per_frame
from opengait_ext.models.shared.neck import BNNeck
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.models.shared.two_stems import TwoStemResNet


@dataclass(frozen=True)
class AuxNetOutput:
    """The network's output for n tracklets.

    Attributes:
        features: x, the mean over frames and positions, before the neck, (n, c); the triplet losses compare it.
        logits: identity scores (n, classes); None outside training or without classes.
        descriptor: for retrieval, BN(x) of unit length, (n, c, 1).
    """

    features: Tensor
    logits: Tensor | None
    descriptor: Tensor


class AuxNetNet(PlainNetwork):
    """The baseline network of AuxNet, for notebooks and for the engine; `AuxNetNet.from_config(model_cfg)` builds it.

    Args:
        backbone: the ResNet, by default ResNet-34.
        num_classes: number of identities; None for a network without a classifier.
    """

    parts = {"backbone": partial(TwoStemResNet, backbone="resnet34", non_local=False)}
    weight_files = (("backbone", "weights"),)
    classifiers = ("neck.classifier.",)

    def __init__(self, backbone: TwoStemResNet, num_classes: int | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = BNNeck(backbone.out_channels, num_classes)

    def forward(self, frames: Tensor, modality: Tensor) -> AuxNetOutput:
        """Describe n tracklets.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            modality: long (n), 0 visible, 1 infrared.
        """
        tracklets, count = frames.shape[:2]
        maps = self.backbone(frames.flatten(0, 1), per_frame(modality, frames.shape))
        features = maps.mean((2, 3)).unflatten(0, (tracklets, count)).mean(1)
        normalised, logits = self.neck(features)
        return AuxNetOutput(features, logits, F.normalize(normalised).unsqueeze(2))
