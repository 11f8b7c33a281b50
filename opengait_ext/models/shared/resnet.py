"""ResNet stages of the appearance and gait streams, with torchvision's names so that its ImageNet weights load."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1

from opengait.errors import ConfigError
from opengait.utils.recompute import recomputed
from opengait_ext.models.shared.full_precision import full_precision
from opengait_ext.weights.read import load_exactly, read_weights

Block = type[BasicBlock] | type[Bottleneck]


@dataclass(frozen=True)
class ResNetPlan:
    """The layout of a named ResNet: its block, and the blocks and AGW's non-local blocks per stage."""

    block: Block
    blocks: tuple[int, int, int, int]
    non_local: tuple[int, int, int, int]


# AGW (Ye et al., 2021) puts two non-local blocks into stage 2 and three into stage 3 of ResNet-50; the smaller
# networks, which have fewer blocks, get at most one after each block.
PLANS = {
    "resnet50": ResNetPlan(Bottleneck, (3, 4, 6, 3), (0, 2, 3, 0)),
    "resnet34": ResNetPlan(BasicBlock, (3, 4, 6, 3), (0, 2, 3, 0)),
    "resnet18": ResNetPlan(BasicBlock, (2, 2, 2, 2), (0, 1, 1, 0)),
    "resnet10": ResNetPlan(BasicBlock, (1, 1, 1, 1), (0, 1, 1, 0)),
}
STAGE_STRIDES = (1, 2, 2, 1)
STEM_WEIGHTS = ("conv1.", "bn1.")


class ResNetStages(nn.Module):
    """layer1 to layer4 of a ResNet, the last one with stride 1, as re-identification uses it.

    Args:
        name: key of `PLANS`.
        in_channels: channels of the input.
        width: channels of the first stage; 64 in the published networks.
        non_local: whether AGW's non-local blocks follow the last blocks of stages 2 and 3.
        strides: strides of the four stages; smaller ones leave enough rows for the stripes of small maps.
        non_local_width: inner channels of the non-local blocks; by default half of their input's, as AGW's paper has
            it. AGW's code has 1, since it divides its reduction by itself.
        recompute: keep only the blocks' inputs for the backward pass, which computes the rest again: less memory, and
            a third more work in training.

    Attributes:
        widths: channels of the input and of the output of each stage.

    Raises:
        ConfigError: the name is unknown, or there are not four strides.

    Shape: (f, in_channels, h, w) -> (f, out_channels, h/4, w/4), with the default strides.
    """

    def __init__(
        self,
        name: str,
        in_channels: int = 64,
        width: int = 64,
        non_local: bool = False,
        strides: Sequence[int] = STAGE_STRIDES,
        non_local_width: int | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        if name not in PLANS:
            raise ConfigError(f"There is no backbone {name!r}; choose one of {', '.join(PLANS)}.")
        plan = PLANS[name]
        if len(strides) != 4:
            raise ConfigError(f"A ResNet has four stages, but strides is {list(strides)}; give four numbers.")
        self.recompute = recompute
        self.strides = tuple(strides)
        channels = in_channels
        widths = [in_channels]
        for stage, (count, stride) in enumerate(zip(plan.blocks, strides, strict=True)):
            planes = width * 2**stage
            blocks = [make_block(plan.block, channels, planes, stride)]
            channels = planes * plan.block.expansion
            widths.append(channels)
            blocks += [make_block(plan.block, channels, planes, 1) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.widths = tuple(widths)
        self.out_channels = channels
        self.non_local = nn.ModuleDict()
        if non_local:
            for place, inner in non_local_places(name, width).items():
                self.non_local[place] = NonLocalBlock(inner, non_local_width)
        self.apply(initialise_convolution)

    def forward(self, maps: Tensor) -> Tensor:
        maps = tensor_core_layout(maps)
        for stage in range(1, 5):
            maps = self.apply_stage(stage, maps)
        return maps

    def apply_stage(self, stage: int, maps: Tensor) -> Tensor:
        """Return the maps behind a stage, 1 to 4, with the non-local blocks in it."""
        for index, block in enumerate(getattr(self, f"layer{stage}")):
            maps = self.apply_block(block, maps)
            key = f"layer{stage}_{index}"
            if key in self.non_local:
                maps = self.apply_block(self.non_local[key], maps)
        return maps

    def apply_block(self, block: nn.Module, maps: Tensor) -> Tensor:
        """Return `block(maps)`, whose activations are kept or, with `recompute`, computed again."""
        return recomputed(block, maps) if self.recompute else block(maps)


class NonLocalBlock(nn.Module):
    """Non-local block (Wang et al., 2018) as in AGW: dot-product affinities, divided by the number of positions.

    The final norm starts at zero, so a new block is the identity and pretrained stages keep their function.

    Always computed in float32, even under autocast: products of unbounded activations overflow float16 in the first
    batch.

    Args:
        channels: of the maps.
        inner: channels of query, key and value; by default half of `channels`.

    Shape: (f, channels, h, w) -> the same.
    """

    def __init__(self, channels: int, inner: int | None = None) -> None:
        super().__init__()
        inner = max(channels // 2, 1) if inner is None else inner
        self.value = nn.Conv2d(channels, inner, 1)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.out = nn.Conv2d(inner, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, maps: Tensor) -> Tensor:
        with full_precision(maps.device):
            return maps + self.residual(maps.to(self.norm.weight.dtype)).to(maps.dtype)

    def residual(self, maps: Tensor) -> Tensor:
        """Return the residual, which is added to the maps."""
        query, key, value = (layer(maps).flatten(2) for layer in (self.query, self.key, self.value))
        # (Q^T K) V^T = Q^T (K V^T) avoids a matrix of positions x positions, since there is no softmax.
        context = key @ value.transpose(1, 2) / maps.shape[-2:].numel()
        attended = (context.transpose(1, 2) @ query).unflatten(2, maps.shape[-2:])
        return self.norm(self.out(attended))


def non_local_places(name: str, width: int) -> dict[str, int]:
    """Return the blocks of a named ResNet that a non-local block follows, as "layer2_3", with their output channels."""
    plan = PLANS[name]
    return {
        f"layer{stage + 1}_{index}": width * 2**stage * plan.block.expansion
        for stage, count in enumerate(plan.non_local)
        for index in range(plan.blocks[stage] - count, plan.blocks[stage])
    }


def tensor_core_layout(maps: Tensor) -> Tensor:
    """Return maps (f, c, h, w) as GPUs read them in mixed precision: with channels last in memory.

    Otherwise every convolution would change the layout before and after. On a CPU batch norm would lose digits.
    """
    if maps.is_cuda and torch.is_autocast_enabled("cuda"):
        return maps.contiguous(memory_format=torch.channels_last)
    return maps


def make_block(block: Block, channels: int, planes: int, stride: int) -> nn.Module:
    """Return a torchvision residual block, with a projection shortcut where the shape changes."""
    out_channels = planes * block.expansion
    downsample = None
    if stride != 1 or channels != out_channels:
        downsample = nn.Sequential(conv1x1(channels, out_channels, stride), nn.BatchNorm2d(out_channels))
    return block(channels, planes, stride, downsample)


def initialise_convolution(module: nn.Module) -> None:
    """Initialise convolutions by He's rule, as in torchvision's ResNets."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def load_stages(stages: ResNetStages, weights: str, name: str, width: int, in_channels: int) -> dict[str, Tensor]:
    """Load a file with torchvision's names into the stages, and return the entries of its stem.

    Raises:
        CheckpointError: the file is missing, unreadable, or of another network.
        ConfigError: the file's stages have another width or input.
    """
    purpose = f"the backbone {name}"
    state = read_weights(weights, purpose)
    first = state.get("layer1.0.conv1.weight")
    if first is not None and first.dim() == 4 and first.shape[:2] != (width, in_channels):
        needed, channels = first.shape[:2]
        raise ConfigError(
            f"{weights} needs stages of width {needed} on {channels} channels, not {width} on {in_channels}."
        )
    stem = {key: value for key, value in state.items() if key.startswith(STEM_WEIGHTS)}
    layers = {key: value for key, value in state.items() if key.startswith("layer")}
    # The published networks have no non-local blocks; these keep their initial values, which make them the identity.
    non_local = {key: value for key, value in stages.state_dict().items() if key.startswith("non_local.")}
    load_exactly(stages, layers | non_local, weights, purpose)
    return stem
