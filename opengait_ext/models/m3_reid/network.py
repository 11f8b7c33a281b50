"""M3-ReID (Liang et al., IEEE TIFS 2025) as a plain network: one ResNet for both modalities, seen from three views."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from opengait.modeling.modules.parts import check_rows
from opengait_ext.models.m3_reid.attention import VIEWS, MultiViewAttention, masked_gem
from opengait_ext.models.m3_reid.non_local import SpaceTimeBlock
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.models.shared.resnet import ResNetStages, load_stages, non_local_places
from opengait_ext.models.shared.two_stems import Stem
from opengait_ext.weights.read import load_exactly


@dataclass(frozen=True)
class M3ReIDOutput:
    """M3-ReID's output for n tracklets of s frames; d = 3 heads channels.

    Attributes:
        descriptor: the embedding at unit length, which retrieval compares, (n, d, 1).
        embedding: the mean of the frames' vectors, (n, d, 1).
        frames: each frame's vector behind the neck, (n, d, s).
        masks: the masks of the three views, (n, s, 3, heads, h, w).
        logits, frame_logits: identity scores of embedding and frames, (n, classes, 1) and (n, classes, s); None without
            classifiers.
    """

    descriptor: Tensor
    embedding: Tensor
    frames: Tensor
    masks: Tensor
    logits: Tensor | None
    frame_logits: Tensor | None


class M3ReIDNet(PlainNetwork):
    """The network of M3-ReID, for notebooks and for the engine: one network for both modalities.

    `M3ReIDNet.from_config(model_cfg)` builds it from the `model_cfg` of a configuration file.

    Args:
        num_classes: training identities; None builds no classifiers.
        backbone: "resnet50", "resnet34", "resnet18" or "resnet10".
        weights: torchvision's ImageNet file, or None for random weights.
        width: channels of the first stage.
        strides: strides of the four stages; the last stage keeps ImageNet's stride of 2.
        stem_pool: whether the stem has max pooling; without it, for small frames, maps are twice as large.
        heads: masks of each view.
    """

    weight_files = (("weights",),)
    classifiers = ("classifier.", "frame_classifier.")

    def __init__(
        self,
        num_classes: int | None = None,
        backbone: str = "resnet50",
        weights: str | None = None,
        width: int = 64,
        strides: Sequence[int] = (1, 2, 2, 2),
        stem_pool: bool = True,
        heads: int = 2,
    ) -> None:
        super().__init__()
        self.stem = Stem(width, pool=stem_pool)
        self.stages = ResNetStages(backbone, width, width, strides=strides)
        if weights is not None:
            entries = load_stages(self.stages, weights, backbone, width, width)
            load_exactly(self.stem, entries, weights, f"the stem of {backbone}")
        places = non_local_places(backbone, width)
        self.non_local = nn.ModuleDict({place: SpaceTimeBlock(channels) for place, channels in places.items()})
        self.attention = MultiViewAttention(self.stages.out_channels, heads)
        dimension = len(VIEWS) * heads * self.stages.out_channels
        self.neck = nn.BatchNorm1d(dimension)
        self.neck.bias.requires_grad_(False)
        self.classifier = self.frame_classifier = None
        if num_classes is not None:
            self.classifier = nn.Linear(dimension, num_classes, bias=False)
            self.frame_classifier = nn.Linear(dimension, num_classes, bias=False)

    def forward(self, frames: Tensor, modality: Tensor | None = None) -> M3ReIDOutput:
        """Describe n tracklets of s frames.

        Args:
            frames: (n, s, 3, height, width), ImageNet-normalised.
            modality: ignored; other networks need it.

        Raises:
            ConfigError: in training, the neck's norm would see a single frame.
        """
        del modality
        maps = self.encode(frames)
        masks = self.attention(maps)
        pooled = masked_gem(maps.flatten(0, 1), masks.flatten(2, 3).flatten(0, 1)).flatten(1)
        check_rows(self.neck, pooled)
        vectors = self.neck(pooled).unflatten(0, frames.shape[:2])
        embedding = vectors.mean(dim=1)
        logits = frame_logits = None
        if self.classifier is not None and self.frame_classifier is not None:
            logits = self.classifier(embedding)[..., None]
            frame_logits = self.frame_classifier(vectors).transpose(1, 2)
        return M3ReIDOutput(
            F.normalize(embedding, dim=1)[..., None],
            embedding[..., None],
            vectors.transpose(1, 2),
            masks,
            logits,
            frame_logits,
        )

    def encode(self, frames: Tensor) -> Tensor:
        """Return the maps (n, s, channels, h, w) of frames (n, s, 3, height, width)."""
        maps = self.stem(frames.flatten(0, 1))
        for stage in range(1, 5):
            for index, block in enumerate(self.stages.get_submodule(f"layer{stage}").children()):
                maps = block(maps)
                place = f"layer{stage}_{index}"
                if place in self.non_local:
                    tracklets = maps.unflatten(0, frames.shape[:2]).transpose(1, 2)
                    maps = self.non_local[place](tracklets).transpose(1, 2).flatten(0, 1)
        return maps.unflatten(0, frames.shape[:2])
