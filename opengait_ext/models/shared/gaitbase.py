"""GaitBase (Fan et al., CVPR 2023) as used by BigGait and BiggerGait: one or two stems, with upstream's names."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait.modeling.backbones import ResNet9
from opengait.modeling.modules import HorizontalPoolingPyramid, PackSequenceWrapper, SeparateBNNecks, SeparateFCs

STEM = ("conv1", "bn1", "relu", "maxpool", "layer1")
STAGES = ("layer2", "layer3", "layer4")


class ForwardBlock(nn.Module):
    """Wrapper that names a network `forward_block`, as upstream's frame-wise wrapper does, for maps (f, c, h, w)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.forward_block = block

    def forward(self, maps: Tensor) -> Tensor:
        return self.forward_block(maps)


class GaitBase(nn.Module):
    """GaitBase, split after its first stage, where the maps of two stems are fused.

    Args:
        stems: a ResNet9 per input, by the name of its stem; the first also provides the later stages.
        fully_connected, necks: the projection and the classifier of each part.
        bin_num: stripes at each granularity.
        fusion: fuses the outputs of two stems; None for a single stem.

    Raises:
        ConfigError: the numbers of parts differ.
    """

    def __init__(
        self,
        stems: Mapping[str, ResNet9],
        fully_connected: SeparateFCs,
        necks: SeparateBNNecks,
        bin_num: Sequence[int],
        fusion: nn.Module | None = None,
    ) -> None:
        super().__init__()
        parts = sum(bin_num)
        if {fully_connected.p, necks.p} != {parts}:
            raise ConfigError(
                f"model_cfg.bin_num {list(bin_num)} gives {parts} parts, but SeparateFCs has {fully_connected.p} and "
                f"SeparateBNNecks {necks.p}; parts_num must be the same number."
            )
        self.stems = tuple(stems)
        for name, backbone in stems.items():
            self.add_module(name, ForwardBlock(layers_of(backbone, STEM)))
        self.post_backbone = ForwardBlock(layers_of(stems[self.stems[0]], STAGES))
        self.FCs = fully_connected
        self.BNNecks = necks
        self.fusion = fusion
        self.TP = PackSequenceWrapper(torch.max)
        self.HPP = HorizontalPoolingPyramid(list(bin_num))

    def maps(self, *inputs: Tensor) -> Tensor:
        """Return the maps (f, c', h', w') of frames, given as one (f, c, h, w) per stem."""
        # Channels first in memory, as upstream: batch norm loses digits on CPUs if they are last.
        maps = [self.get_submodule(name)(frames.contiguous()) for name, frames in zip(self.stems, inputs, strict=True)]
        return self.post_backbone(maps[0] if self.fusion is None else self.fusion(*maps))

    def describe(self, maps: Tensor, lengths: Any) -> tuple[Tensor, Tensor]:
        """Return the embeddings (n, c, p) and logits (n, classes, p) of tracklets.

        Args:
            maps: (n, s, c', h', w').
            lengths: None, or [1, k] lengths of k tracklets packed into one; n is then 1 in `maps` and k in the results.
        """
        pooled = self.TP(maps, lengths, dim=1, options={"dim": 1})[0]
        embeddings = self.FCs(self.HPP(pooled))
        return embeddings, self.BNNecks(embeddings)[1]


def gait_backbone(backbone_cfg: Mapping[str, Any], in_channels: int) -> ResNet9:
    """Return a ResNet9 for maps of `in_channels` channels; `backbone_cfg.in_channel` is ignored, as upstream.

    Raises:
        ConfigError: another type, or an unknown argument.
    """
    settings = {key: value for key, value in backbone_cfg.items() if key not in ("type", "in_channel")}
    if backbone_cfg.get("type") != "ResNet9":
        raise ConfigError(f"model_cfg.backbone_cfg.type is {backbone_cfg.get('type')!r}; GaitBase needs ResNet9.")
    try:
        return ResNet9(in_channel=in_channels, **settings)
    except TypeError as error:
        raise ConfigError(f"model_cfg.backbone_cfg does not fit ResNet9: {error}.") from error


def layers_of(backbone: ResNet9, names: Sequence[str]) -> nn.Sequential:
    """Return the named layers of the backbone as a sequence that keeps their names."""
    used = [name for name in names if name != "maxpool" or backbone.maxpool_flag]
    return nn.Sequential(OrderedDict((name, backbone.get_submodule(name)) for name in used))
