"""E_gait, the gait feature extractor behind SASG (Section 3.2, Joint Learning Strategy)."""

from collections.abc import Sequence

from torch import Tensor, nn

from opengait_ext.models.shared.pooling import set_pooling
from opengait_ext.models.shared.resnet import STAGE_STRIDES, ResNetStages, load_stages


class GaitExtractor(nn.Module):
    """ResNet stages on enriched silhouettes, one frame at a time, then set pooling over the frames.

    Args:
        in_channels: channels of the enriched silhouettes.
        backbone: "resnet50", "resnet34", "resnet18" or "resnet10".
        weights: torchvision's ImageNet file for the stages, or None for random weights.
        width: channels of the first stage.
        strides, recompute: see `ResNetStages`.
    """

    def __init__(
        self,
        in_channels: int = 64,
        backbone: str = "resnet50",
        weights: str | None = None,
        width: int = 64,
        strides: Sequence[int] = STAGE_STRIDES,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.stages = ResNetStages(backbone, in_channels, width, strides=strides, recompute=recompute)
        self.out_channels = self.stages.out_channels
        if weights is not None:
            load_stages(self.stages, weights, backbone, width, in_channels)

    def forward(self, silhouettes: Tensor) -> Tensor:
        """Compute f_{g,m} before it is cut into stripes: (n, s, in_channels, h, w) -> (n, out_channels, h/4, w/4)."""
        maps = self.stages(silhouettes.flatten(0, 1))
        return set_pooling(maps.unflatten(0, silhouettes.shape[:2]))
