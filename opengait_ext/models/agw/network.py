"""AGW's network: two stems, shared stages with non-local blocks, generalised-mean pooling, and a BN neck."""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from opengait_ext.models.shared.modality import per_frame
from opengait_ext.models.shared.neck import BNNeck
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.models.shared.pooling import gem_pooling
from opengait_ext.models.shared.two_stems import TwoStemResNet


@dataclass(frozen=True)
class AGWOutput:
    """The network's output for n tracklets.

    Attributes:
        features: x, the mean over the frames of the pooled maps, before the neck, (n, c); metric losses compare it.
        logits: identity scores (n, classes); None outside training or without classes.
        descriptor: for retrieval, of unit length, (n, c, 1).
    """

    features: Tensor
    logits: Tensor | None
    descriptor: Tensor


class AGWNet(PlainNetwork):
    """AGW on tracklets, for notebooks and for the engine; `AGWNet.from_config(model_cfg)` builds it.

    AGW describes images. Here, a tracklet's feature is the mean of those of its frames; with one frame per tracklet, as
    in the published recipe, this is AGW itself.

    Args:
        backbone: the ResNet.
        num_classes: number of identities; None for a network without a classifier.
        pooling: "gem", the generalised mean with p = 3, or "average", as in the survey's baseline.
        descriptor: "neck", the feature after the neck, which the published numbers are of, or "pooled", the one before.
        flipped: add the unit descriptor of the mirrored frames, as the released test scripts do; outside training only.
    """

    parts = {"backbone": TwoStemResNet}
    weight_files = (("backbone", "weights"),)
    classifiers = ("neck.classifier.",)

    def __init__(
        self,
        backbone: TwoStemResNet,
        num_classes: int | None = None,
        pooling: Literal["gem", "average"] = "gem",
        descriptor: Literal["neck", "pooled"] = "neck",
        flipped: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.descriptor = descriptor
        self.flipped = flipped
        self.neck = BNNeck(backbone.out_channels, num_classes)

    def forward(self, frames: Tensor, modality: Tensor) -> AGWOutput:
        """Describe n tracklets.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            modality: long (n), 0 visible, 1 infrared.
        """
        features = self.pooled(frames, modality)
        normalised, logits = self.neck(features)
        descriptor = F.normalize(normalised if self.descriptor == "neck" else features)
        if self.flipped and not self.training:
            mirrored = self.pooled(frames.flip(-1), modality)
            mirrored = self.neck(mirrored)[0] if self.descriptor == "neck" else mirrored
            descriptor = F.normalize(descriptor + F.normalize(mirrored))
        return AGWOutput(features, logits, descriptor.unsqueeze(2))

    def pooled(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Return the mean over the frames of their pooled maps, (n, c)."""
        tracklets, count = frames.shape[:2]
        maps = self.backbone(frames.flatten(0, 1), per_frame(modality, frames.shape))
        pooled = gem_pooling(maps) if self.pooling == "gem" else maps.mean((2, 3))
        return pooled.unflatten(0, (tracklets, count)).mean(1)
