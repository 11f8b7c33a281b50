"""Parts of BigGait (Ye et al., CVPR 2024): its branches, its gait network and what it does with frames and ratios.

Names of parameters are upstream's. Encoder and fusion are SASG's, which has them from BigGait.
"""

import copy
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
from opengait_ext.models.fusion import AttentionFusion
from opengait_ext.models.token_encoder import TokenEncoder
from opengait_ext.models.weights import load_exactly, read_weights

# What frames of another shape than twice as high as wide are brought to, at their true ratio.
FRAME_SIZE = (256, 128)
# Pixels of the enlarged features that are held at once beside the chosen ones: 200 MB of four ViT-S layers.
_PIXELS_AT_ONCE = 32768


class Branch(TokenEncoder):
    """An encoder of BigGait with its activation: softmax over the channels, or a norm and a sigmoid.

    Args:
        source_dim, target_dim: channels of the tokens and of the result.
        p: share of token entries dropped in training.
        softmax: softmax instead of `bn_t` and sigmoid; `bn_t` is in the state all the same.
        Relu: a hidden layer of half the width, with a norm and GELU.
        Up: hold the linear map back to the tokens.

    Shape: (tokens, source_dim) -> (tokens, target_dim).
    """

    def __init__(
        self,
        source_dim: int,
        target_dim: int,
        p: float = 0.0,
        softmax: bool = True,
        Relu: bool = False,  # noqa: N803 (upstream's name)
        Up: bool = False,  # noqa: N803
    ) -> None:
        hidden = source_dim // 2 if Relu else None
        super().__init__(source_dim, target_dim, hidden, out_norm=True, dropout=p, decoder=Up)
        self.softmax = softmax

    def forward(self, tokens: Tensor) -> Tensor:
        codes = self.down_sampling(self.bn_s(self.dropout(tokens)))
        return codes.float().softmax(dim=1) if self.softmax else self.bn_t(codes).float().sigmoid()


def read_mask_branch(path: str, branch: Branch) -> dict[str, Tensor]:
    """The state of a pretrained mask branch for `branch`, from its own file or from a whole checkpoint of BigGait.

    Raises:
        CheckpointError: the file is missing, damaged or holds no such branch.
    """
    purpose = "BigGait's mask branch (MaskBranch_vits14.pt beside OpenGait's BigGait models)"
    state = read_weights(path, purpose)
    start = "Mask_Branch."
    inside = {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
    # Into a copy: what does not fit is to be said before the training starts.
    load_exactly(copy.deepcopy(branch), inside or state, path, purpose)
    return inside or state


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


def enlarged_tokens(tokens: Tensor, grid: tuple[int, int], size: tuple[int, int], chosen: Tensor) -> Tensor:
    """The chosen pixels of bilinearly enlarged tokens, a few frames at a time: only the chosen ones are all held.

    Args:
        tokens: (f, h' * w', c) on a grid of h' x w'.
        size: (h, w) to enlarge to.
        chosen: bool (f, h, w), with k pixels chosen.

    Returns:
        (k, c), frame by frame, row by row.
    """
    counts = chosen.flatten(1).sum(dim=1)
    picked = tokens.new_empty(int(counts.sum()), tokens.shape[-1])
    step = max(1, _PIXELS_AT_ONCE // (size[0] * size[1]))
    start = 0
    for part, here, count in zip(tokens.split(step), chosen.split(step), counts.split(step), strict=True):
        # In memory the channels lie together before and after, so picking copies whole rows.
        maps = F.interpolate(part.transpose(1, 2).unflatten(2, grid), size=size, mode="bilinear", align_corners=False)
        stop = start + int(count.sum())
        picked[start:stop] = maps.permute(0, 2, 3, 1)[here]
        start = stop
    return picked


def black_out(
    denoising: Tensor, appearance: Tensor, lengths: Sequence[int], share: float = 0.2
) -> tuple[Tensor, Tensor]:
    """One of the two maps set to zero, in a random `share` of the tracklets (rounded); which of the two is random too.

    Args:
        denoising, appearance: maps (frames, c, h, w) of tracklets one after the other.
        lengths: their numbers of frames.
    """
    count = round(share * len(lengths))
    if not count:
        return denoising, appearance
    # Drawn on the CPU, so that a run draws the same on any device.
    kept = torch.ones(2, len(lengths))
    kept[torch.randint(2, (count,)), torch.randperm(len(lengths))[:count]] = 0
    kept = kept.to(denoising.device).repeat_interleave(torch.tensor(lengths, device=denoising.device), dim=1)
    kept = kept.view(2, -1, 1, 1, 1)
    return denoising * kept[0], appearance * kept[1]


def sobel_loss(maps: Tensor) -> Tensor:
    """|sobel_x| + |sobel_y| of the sum over the channels, over the number of entries of `maps` (f, c, h, w).

    The kernels are not scaled, and zeros surround the maps, so their edges count.
    """
    along = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=maps.device)
    kernels = torch.stack([along, along.T]).unsqueeze(1)
    with torch.autocast(maps.device.type, enabled=False):
        gradients = F.conv2d(maps.float().sum(dim=1, keepdim=True), kernels, padding=1)
    return gradients.abs().sum() / maps.numel()


def usage_loss(maps: Tensor, eps: float = 1e-6) -> Tensor:
    """log2(c) - H(p) in bits, the mean over frames; p is a channel's share of a frame's sum. Maps (f, c, h, w).

    Eq. 8 of DinoGRL is this with eps 0; with it a frame without foreground counts log2(c).
    """
    usage = maps.float().sum(dim=(2, 3))
    share = usage / (usage.sum(dim=1, keepdim=True) + eps)
    entropy = -(share * (share + eps).log2()).sum(dim=1)
    return (math.log2(maps.shape[1]) - entropy).mean()
