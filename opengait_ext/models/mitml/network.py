"""MITML's network: two stems and two last stages, an LSTM over the frames, and a refinement of each frame."""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models.shared.modality import per_frame
from opengait_ext.models.shared.neck import BNNeck
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.models.shared.two_stems import TwoStemResNet


@dataclass(frozen=True)
class MITMLOutput:
    """The network's output for n tracklets.

    Attributes:
        features: x, the mean over the refined frames, before the neck, (n, c); the triplet and modality losses see it.
        logits: identity scores (n, classes); None outside training or without classes.
        descriptor: for retrieval, BN(x) of unit length, (n, c, 1).
    """

    features: Tensor
    logits: Tensor | None
    descriptor: Tensor


class Refinement(nn.Module):
    """Weighs the appearance of a frame by what the tracklet's memory says of it.

    t = A m + l and f = h * (1 + sigmoid(W2 relu(W1 t/2))), where A has a bias, and W1 and W2 have none.

    Args:
        channels: c, of all vectors.
        reduction: W1 has c / reduction rows.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = max(channels // reduction, 1)
        self.transform = nn.Linear(channels, channels)
        self.gate = nn.Sequential(
            nn.Linear(channels, inner, bias=False), nn.ReLU(), nn.Linear(inner, channels, bias=False), nn.Sigmoid()
        )

    def forward(self, appearance: Tensor, temporal: Tensor, memory: Tensor) -> Tensor:
        """Return f of h, l and m, each (..., c)."""
        refined: Tensor = appearance * (1 + self.gate((self.transform(memory) + temporal) / 2))
        return refined


class MITMLNet(PlainNetwork):
    """MITML, for notebooks and for the engine; `MITMLNet.from_config(model_cfg)` builds it.

    Args:
        backbone: the ResNet, whose last stage makes the appearance map; a copy of that stage makes the temporal map.
        num_classes: number of identities; None for a network without a classifier.
        positions: frames of a tracklet, each with a refinement of its own, as in the published network; None for one
            refinement that all frames share, which takes tracklets of any length.
    """

    parts = {"backbone": partial(TwoStemResNet, non_local=False)}
    weight_files = (("backbone", "weights"),)
    classifiers = ("neck.classifier.",)

    def __init__(
        self,
        backbone: TwoStemResNet,
        num_classes: int | None = None,
        positions: Annotated[int, "positive int"] | None = 6,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.temporal_stage = copy.deepcopy(backbone.stages.layer4)
        self.channels = backbone.out_channels
        self.positions = positions
        self.lstm = nn.LSTM(self.channels, self.channels, num_layers=2, batch_first=True)
        self.refinements = nn.ModuleList([Refinement(self.channels) for _ in range(positions or 1)])
        self.neck = BNNeck(self.channels, num_classes)

    @property
    def tracklet_frames(self) -> int | None:
        """The number of positions."""
        return self.positions

    def forward(self, frames: Tensor, modality: Tensor) -> MITMLOutput:
        """Describe n tracklets.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            modality: long (n), 0 visible, 1 infrared.

        Raises:
            ConfigError: s is not the number of positions.
        """
        count = frames.shape[1]
        if self.positions not in (None, count):
            raise ConfigError(
                f"MITML refines frames at {self.positions} positions, got tracklets of {count} frames; set "
                f"model_cfg.positions and sampler.frames_num_fixed alike, or model_cfg.positions to null."
            )
        appearance, temporal = self.frame_vectors(frames, modality)
        memory = self.lstm(temporal)[0][:, -1]
        features = self.refined(appearance, temporal, memory).mean(1)
        normalised, logits = self.neck(features)
        return MITMLOutput(features, logits, F.normalize(normalised).unsqueeze(2))

    def frame_vectors(self, frames: Tensor, modality: Tensor) -> tuple[Tensor, Tensor]:
        """Return h and l of each frame, the pooled appearance and temporal maps, (n, s, c) each."""
        tracklets, count = frames.shape[:2]
        maps = self.backbone.enter(frames.flatten(0, 1), per_frame(modality, frames.shape))
        stages = self.backbone.stages
        for stage in (1, 2, 3):
            maps = stages.apply_stage(stage, maps)
        appearance, temporal = stages.apply_stage(4, maps), maps
        for block in self.get_submodule("temporal_stage").children():
            temporal = stages.apply_block(block, temporal)
        vectors = [last.mean((2, 3)).unflatten(0, (tracklets, count)) for last in (appearance, temporal)]
        return vectors[0], vectors[1]

    def refined(self, appearance: Tensor, temporal: Tensor, memory: Tensor) -> Tensor:
        """Return the refined frames (n, s, c) of the frames' vectors (n, s, c) and the tracklets' memories (n, c)."""
        if self.positions is None:
            shared: Tensor = self.refinements[0](appearance, temporal, memory.unsqueeze(1))
            return shared
        frames = [
            refinement(appearance[:, position], temporal[:, position], memory)
            for position, refinement in enumerate(self.refinements)
        ]
        return torch.stack(frames, dim=1)
