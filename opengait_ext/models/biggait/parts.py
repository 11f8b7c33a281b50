"""Parts of BigGait (Ye et al., CVPR 2024): its branches, its gait network and what it does with frames and ratios.

Names of parameters are upstream's. Encoder and fusion are SASG's, which has them from BigGait.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError, DataError
from opengait.modeling.backbones import ResNet9
from opengait.modeling.modules import HorizontalPoolingPyramid, PackSequenceWrapper, SeparateBNNecks, SeparateFCs
from opengait_ext.models.shared.fusion import AttentionFusion

# What frames of another shape than twice as high as wide are brought to, at their true ratio.
FRAME_SIZE = (256, 128)


class ForwardBlock(nn.Module):
    """A network under the name `forward_block`, as upstream's frame-wise wrapper has it, for maps [f, c, h, w]."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.forward_block = block

    def forward(self, maps: Tensor) -> Tensor:
        return self.forward_block(maps)


class NamedFusion(AttentionFusion):
    """`AttentionFusion` under upstream's names, from upstream's arguments.

    Raises:
        ConfigError: other than two maps are to be fused.
    """

    def __init__(self, in_channels: int = 64, squeeze_ratio: int = 16, feat_len: int = 2) -> None:
        if feat_len != 2:
            raise ConfigError(f"model_cfg.AttentionFusion.feat_len is {feat_len!r}; BigGait fuses 2 maps.")
        super().__init__(in_channels, squeeze_ratio)
        self.conv = ForwardBlock(self.conv)


class GaitNet(nn.Module):
    """GaitBase with a stem for each of two maps and their fusion behind the first stage.

    Args:
        in_channels: of each map.
        fusion: the attention fusion of two maps.
        backbone_cfg: `ResNet9`'s arguments; `in_channel` is `in_channels` whatever it says, as upstream.
        fully_connected, necks: arguments of `SeparateFCs` and `SeparateBNNecks`.
        bin_num: stripes.

    Raises:
        ConfigError: a backbone other than ResNet9, or parts that do not fit each other.
    """

    def __init__(
        self,
        in_channels: int,
        fusion: NamedFusion,
        backbone_cfg: Mapping[str, Any],
        fully_connected: SeparateFCs,
        necks: SeparateBNNecks,
        bin_num: Sequence[int],
    ) -> None:
        super().__init__()
        if sum(bin_num) != fully_connected.p or sum(bin_num) != necks.p:
            raise ConfigError(
                f"model_cfg.bin_num {list(bin_num)} gives {sum(bin_num)} parts, but SeparateFCs has "
                f"{fully_connected.p} and SeparateBNNecks {necks.p}; parts_num must be the same number."
            )
        first, second = (gait_backbone(backbone_cfg, in_channels) for _ in range(2))
        self.pre_part = ForwardBlock(_named(first, ["conv1", "bn1", "relu", "maxpool", "layer1"]))
        self.pre_rgb = ForwardBlock(_named(second, ["conv1", "bn1", "relu", "maxpool", "layer1"]))
        self.post_backbone = ForwardBlock(_named(first, ["layer2", "layer3", "layer4"]))
        self.FCs = fully_connected
        self.BNNecks = necks
        self.fusion = fusion
        self.TP = PackSequenceWrapper(torch.max)
        self.HPP = HorizontalPoolingPyramid(bin_num)

    def forward(self, denoising: Tensor, appearance: Tensor, frames: tuple[int, int], lengths: Any) -> tuple:
        """Describe tracklets.

        Args:
            denoising, appearance: (n * s, in_channels, h, w).
            frames: (n, s).
            lengths: None, or [1, k] lengths of k tracklets packed into one (n is 1 then).

        Returns:
            Embeddings (n, c, p) and logits (n, classes, p), with k for n where tracklets are packed.
        """
        # Channels apart in memory, as upstream: on CPUs, batch norm's sums lose digits where they lie together.
        first, second = self.pre_part(denoising.contiguous()), self.pre_rgb(appearance.contiguous())
        maps = self.post_backbone(self.fusion(first, second))
        pooled = self.TP(maps.unflatten(0, frames), lengths, dim=1, options={"dim": 1})[0]
        embeddings = self.FCs(self.HPP(pooled))
        return embeddings, self.BNNecks(embeddings)[1]


def gait_backbone(backbone_cfg: Mapping[str, Any], in_channels: int) -> ResNet9:
    """ResNet9 for maps of `in_channels` channels.

    Raises:
        ConfigError: another type, or an argument that it does not take.
    """
    settings = {key: value for key, value in backbone_cfg.items() if key not in ("type", "in_channel")}
    if backbone_cfg.get("type") != "ResNet9":
        raise ConfigError(f"model_cfg.backbone_cfg.type is {backbone_cfg.get('type')!r}; BigGait is made of ResNet9.")
    try:
        return ResNet9(in_channel=in_channels, **settings)
    except TypeError as error:
        raise ConfigError(f"model_cfg.backbone_cfg does not fit ResNet9: {error}.") from error


def _named(backbone: ResNet9, names: Sequence[str]) -> nn.Sequential:
    """Some of the backbone's layers in a row, under their names."""
    wanted = [name for name in names if name != "maxpool" or backbone.maxpool_flag]
    return nn.Sequential(OrderedDict((name, getattr(backbone, name)) for name in wanted))


def check_ratios(ratios: Tensor | None, frames: Tensor) -> Tensor:
    """Width over height of the person in every frame, (n, s); 0.5, that of the frames' shape, where none are given.

    Raises:
        DataError: not one number for each of the `frames` (n, s, 3, h, w), or one that is no ratio.
    """
    if ratios is None:
        return torch.full(frames.shape[:2], 0.5, device=frames.device)
    if ratios.shape != frames.shape[:2]:
        raise DataError(
            f"BigGait's second feature must hold one ratio (width over height) for each frame, "
            f"{list(frames.shape[:2])} here, but has the shape {list(ratios.shape)}; check data_cfg and the transforms."
        )
    wrong = ratios[~((ratios > 0) & ratios.isfinite())]
    if len(wrong):
        raise DataError(f"A frame's ratio (width over height) is {wrong[0].item()}; wanted is a positive number.")
    return ratios.float()


def person_widths(ratios: Tensor, height: int) -> Tensor:
    """Columns that a person of that ratio fills in a frame of `height` rows; at least one."""
    return (height * ratios).int().clamp(min=1)


def person_pixels(ratios: Tensor, size: tuple[int, int]) -> Tensor:
    """Where the frames (f) of these ratios hold the original picture and no padding: bool (f, h, w)."""
    height, width = size
    widths = person_widths(ratios, height)[:, None]
    left = (width - widths).clamp(min=0) // 2
    columns = torch.arange(width, device=ratios.device)
    inside = (columns >= left) & (columns < left + widths)
    return inside[:, None].expand(-1, height, -1)


def restore_ratio(frames: Tensor, ratios: Tensor, size: tuple[int, int] = FRAME_SIZE) -> Tensor:
    """Resize frames (f, 3, h, w) to `size` at their true ratios (f), with zeros beside them or their sides cut off."""
    height, width = size
    widths = person_widths(ratios, height)
    restored = frames.new_zeros(len(frames), frames.shape[1], height, width)
    for wide in widths.unique().tolist():
        mine = widths == wide
        scaled = F.interpolate(frames[mine], size=(height, wide), mode="bilinear", align_corners=False)
        left = (width - wide) // 2
        # Negative padding cuts.
        restored[mine] = F.pad(scaled, (left, width - wide - left))
    return restored


def usage_loss(maps: Tensor, eps: float = 1e-6) -> Tensor:
    """log2(c) - H(p) in bits, the mean over frames; p is a channel's share of a frame's sum. Maps (f, c, h, w).

    Eq. 8 of DinoGRL is this with eps 0; with it a frame without foreground counts log2(c).
    """
    usage = maps.float().sum(dim=(2, 3))
    share = usage / (usage.sum(dim=1, keepdim=True) + eps)
    entropy = -(share * (share + eps).log2()).sum(dim=1)
    return (math.log2(maps.shape[1]) - entropy).mean()
