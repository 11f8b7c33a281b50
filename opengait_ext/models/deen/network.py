"""DEEN's network: two stems, stages whose maps attend to their inputs, and a last stage of three versions."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.utils.typed import Share
from opengait_ext.models.deen.aggregation import FeatureAggregation
from opengait_ext.models.deen.expansion import VERSIONS, EmbeddingExpansion
from opengait_ext.models.shared.modality import per_frame
from opengait_ext.models.shared.neck import BNNeck
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.models.shared.two_stems import TwoStemResNet


@dataclass(frozen=True)
class DEENOutput:
    """The network's output for n tracklets, in three versions: the original and the two that DEE generates.

    Attributes:
        features: f1, f2 and f3, the mean over the frames of each version's pooled maps, before the neck, (n, c, 3).
        logits: identity scores of each version (n, classes, 3); None outside training or without classes.
        descriptor: for retrieval, of unit length, (n, 6 c, 1).
    """

    features: Tensor
    logits: Tensor | None
    descriptor: Tensor


class DEENNet(PlainNetwork):
    """DEEN on tracklets, for notebooks and for the engine; `DEENNet.from_config(model_cfg)` builds it.

    DEEN describes images. Here, a tracklet's features are the means of those of its frames, version by version; with
    one frame per tracklet, as in the published recipe, this is DEEN itself.

    The descriptor holds, for each version, its features and its features behind the neck, each of unit length. Products
    of two descriptors are therefore the mean of the published test's six products.

    Args:
        backbone: the ResNet.
        num_classes: number of identities; None for a network without a classifier.
        folded: whether position blocks take two positions as a token, as the released code does (`PositionBlock`).
        dropout: see `EmbeddingExpansion`.
        pooled_share: weight of the products of features before the neck; those behind it have the rest. The released
            test prints the results of 0.5 and of 0.1.
        flipped: add the unit vectors of the mirrored frames, as the released test script does; outside training only.
    """

    parts = {"backbone": partial(TwoStemResNet, non_local=False)}
    weight_files = (("backbone", "weights"),)
    classifiers = ("neck.classifier.",)

    def __init__(
        self,
        backbone: TwoStemResNet,
        num_classes: int | None = None,
        folded: bool = True,
        dropout: Share = 0.01,
        pooled_share: Share = 0.5,
        flipped: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooled_share = pooled_share
        self.flipped = flipped
        stages = backbone.stages
        self.aggregations = nn.ModuleList(
            FeatureAggregation(high, low, stride, folded)
            for low, high, stride in zip(stages.widths[:3], stages.widths[1:4], stages.strides[:3], strict=True)
        )
        self.expansion = EmbeddingExpansion(stages.widths[3], dropout)
        self.neck = BNNeck(backbone.out_channels, num_classes)

    def forward(self, frames: Tensor, modality: Tensor) -> DEENOutput:
        """Describe n tracklets.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            modality: long (n), 0 visible, 1 infrared.

        Raises:
            ConfigError: folded position blocks meet maps with an odd number of positions.
        """
        features = self.pooled(frames, modality)
        normalised, logits = self.neck(features.flatten(0, 1))
        vectors = unit_vectors(features, normalised)
        if self.flipped and not self.training:
            mirrored = self.pooled(frames.flip(-1), modality)
            vectors = F.normalize(vectors + unit_vectors(mirrored, self.neck(mirrored.flatten(0, 1))[0]), dim=-1)
        if logits is not None:
            logits = logits.unflatten(0, features.shape[:2]).permute(1, 2, 0)
        return DEENOutput(features.permute(1, 2, 0), logits, self.joined(vectors))

    def pooled(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Return the mean over the frames of their pooled maps in each version, (3, n, c)."""
        tracklets, count = frames.shape[:2]
        maps = self.backbone.enter(frames.flatten(0, 1), per_frame(modality, frames.shape))
        for stage, aggregation in enumerate(self.aggregations, start=1):
            maps = aggregation(self.backbone.stages.apply_stage(stage, maps), maps)
        maps = self.backbone.stages.apply_stage(4, self.expansion(maps))
        return maps.mean((2, 3)).unflatten(0, (VERSIONS, tracklets, count)).mean(2)

    def joined(self, vectors: Tensor) -> Tensor:
        """Return the descriptors (n, 6 c, 1) of unit vectors before and behind the neck, (2, 3, n, c)."""
        shares = vectors.new_tensor([self.pooled_share, 1 - self.pooled_share]) / VERSIONS
        weighted = vectors * shares.sqrt().view(2, 1, 1, 1)
        return weighted.flatten(0, 1).transpose(0, 1).flatten(1).unsqueeze(2)


def unit_vectors(features: Tensor, normalised: Tensor) -> Tensor:
    """Return features (3, n, c) and the same behind the neck (3 n, c), of unit length each: (2, 3, n, c)."""
    return F.normalize(torch.stack([features, normalised.view_as(features)]), dim=-1)
