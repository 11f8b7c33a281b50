"""BiggerGait (Ye et al., NeurIPS 2025) as a plain network: gait from every layer of a frozen vision model."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait import distributed
from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models.biggergait.backbone import (
    Dinov2Config,
    backbone_config,
    frozen_backbone,
    to_version_4,
)
from opengait_ext.models.biggergait.parts import GaitNetworks, HumanSpaceConv
from opengait_ext.models.biggergait.settings import (
    MaskTokens,
    gait_network,
    head_count,
    known_mask_tokens,
    layer_groups,
    mask_branch,
    twice_as_high,
)
from opengait_ext.models.shared.branch import Branch, read_mask_branch
from opengait_ext.models.shared.build import build_part
from opengait_ext.models.shared.plain_network import Maps, PlainNetwork
from opengait_ext.models.shared.vision_model import FrozenVisionModel

log = logging.getLogger("opengait")

REQUIRED = ("backbone_cfg", "SeparateFCs", "SeparateBNNecks", "bin_num")
# Known keys of `model_cfg`; others, which upstream's files have, are ignored with a warning.
KEYS = (
    "model",
    "pretrained_lvm",
    "pretrained_mask_branch",
    "position_offset",
    "image_size",
    "sils_size",
    "total_layer_num",
    "group_layer_num",
    "head_num",
    "human_space",
    "mask_tokens",
    "vision_model",
    "Mask_Branch",
    *REQUIRED,
)
# Tracklets of s frames are processed in s // CHUNK + 1 chunks.
CHUNK = 96
EPS = 1e-6


@dataclass(frozen=True)
class BiggerGaitOutput:
    """BiggerGait's output for n tracklets.

    Attributes:
        embeddings: (n, c, groups * p).
        logits: (n, classes, groups * p).
        mask: the person's binary mask in all frames, (frames, 1, h, w).
    """

    embeddings: Tensor
    logits: Tensor
    mask: Tensor


class BiggerGaitNet(PlainNetwork):
    """The network of `BiggerGait__DINOv2`, for notebooks and for the engine.

    `BiggerGaitNet.from_config(model_cfg)` builds it from the `model_cfg` of a configuration file. Entries of its state
    have upstream's names.

    The tokens of all blocks are normalised together and split into groups of neighbouring layers; a `HumanSpace_Conv`
    maps each group to a few channels, a mask cuts out the person, and a gait network describes each group.

    Args:
        gait_networks: one per group, possibly shared.
        human_spaces: one per group.
        mask_branch: BigGait's, never trained here.
        backbone: the frozen vision model with all blocks as layers.
        size: (height, width) of the gait networks' maps.
        mask_tokens: input of the mask branch; see `from_config`.
    """

    silhouette_parts = ("Backbone", "Mask_Branch", "HumanSpace_Conv")

    def __init__(
        self,
        gait_networks: GaitNetworks,
        human_spaces: nn.ModuleList,
        mask_branch: Branch,
        backbone: FrozenVisionModel,
        size: tuple[int, int],
        mask_tokens: MaskTokens = "own_norm",
    ) -> None:
        super().__init__()
        self.Gait_Net = gait_networks
        self.HumanSpace_Conv = human_spaces
        self.Mask_Branch = mask_branch
        self.Backbone = backbone
        self.size = size
        self.mask_tokens = mask_tokens
        self.classifiers = tuple(
            name[: -len("fc_bin")] for name in self.state_dict() if name.endswith("BNNecks.fc_bin")
        )
        self.group_channels = len(backbone.layers) // len(human_spaces) * backbone.channels

    @classmethod
    def from_config(cls, model_cfg: Mapping[str, Any]) -> Self:
        """Build the network that a configuration file's `model_cfg` describes.

        Keys beside GaitBase's `backbone_cfg`, `SeparateFCs`, `SeparateBNNecks` and `bin_num`:

        - `pretrained_lvm`: a Hugging Face folder of DINOv2, or a weight file of DINOv2's release; None for a random
          ViT-S/14, a `Dinov2Config` or a table of its values for a random model of that shape.
        - `pretrained_mask_branch`: a file with BigGait's Mask_Branch, alone or in a checkpoint of BigGait.
        - `image_size`, `sils_size`: width in pixels of the vision model's frames (224) and of the gait network's maps
          (32); heights are twice that.
        - `total_layer_num`, `group_layer_num`, `head_num`: numbers of blocks of the vision model (12), of blocks per
          group, and of gait networks that the groups share.
        - `Mask_Branch`: arguments of the branch, as in BigGait.
        - `mask_tokens`: input of the branch: the last block's tokens under a norm of their own without affine
          parameters (own_norm, upstream's), their share of all blocks' joint norm (joint_norm), or the vision model's
          final norm (final_norm), on which BigGait trains the branch.
        - `human_space`: `hidden` (half the vision model's width), `channels` (16) and `affine` (false) of
          `HumanSpace_Conv`.
        - `position_offset`: see `resample_positions`.
        - `vision_model`: `name`, `arguments` and `precision` of a `FrozenVisionModel` other than DINOv2, with
          `total_layer_num` blocks and `pretrained_lvm` as its weight file.

        Raises:
            ConfigError: a key is missing, or the numbers do not fit together.
            CheckpointError: a weight file is missing or belongs to another network.
        """
        check_keys(model_cfg)
        mask_tokens = known_mask_tokens(model_cfg.get("mask_tokens", "own_norm"))
        image_size = twice_as_high(model_cfg.get("image_size", 224), "image_size")
        size = twice_as_high(model_cfg.get("sils_size", 32), "sils_size")
        backbone = frozen_backbone(model_cfg, image_size)
        layers, groups = layer_groups(model_cfg, len(backbone.transformer.blocks))
        width = backbone.channels
        space = {"hidden": width // 2, "channels": 16, **(model_cfg.get("human_space") or {})}
        networks = [gait_network(model_cfg, space["channels"]) for _ in range(head_count(model_cfg, groups))]
        spaces = [
            build_part(HumanSpaceConv, "human_space", space, in_channels=layers * width, size=size)
            for _ in range(groups)
        ]
        branch = mask_branch(model_cfg.get("Mask_Branch") or {}, width)
        mask_weights = model_cfg.get("pretrained_mask_branch")
        if mask_weights is not None:
            branch.load_state_dict(read_mask_branch(mask_weights, branch))
        return cls(GaitNetworks(networks, groups), nn.ModuleList(spaces), branch, backbone, size, mask_tokens)

    @classmethod
    def without_replaced_weights(
        cls, model_cfg: Mapping[str, Any], entries: Callable[[], Mapping[str, Tensor]]
    ) -> dict[str, Any]:
        """Return a copy of `model_cfg` without the weight files whose values a checkpoint has.

        A vision model's file that is missing is replaced by the shape that the checkpoint's entries have.
        """
        present = to_version_4(entries())
        kept = dict(model_cfg)
        if any(name.startswith("Mask_Branch.") for name in present):
            kept["pretrained_mask_branch"] = None
        vision = {name.removeprefix("Backbone."): t for name, t in present.items() if name.startswith("Backbone.")}
        if vision and kept.get("vision_model") is not None:
            kept["pretrained_lvm"] = None
        elif vision:
            try:
                backbone_config(kept.get("pretrained_lvm"))
            except CheckpointError:
                kept["pretrained_lvm"] = Dinov2Config.from_hugging_face(vision)
        return kept

    @classmethod
    def without_weight_files(cls, model_cfg: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of `model_cfg` with the vision model's shape in place of its file, and without other files."""
        other = model_cfg.get("vision_model") is not None
        shape = None if other else asdict(backbone_config(model_cfg.get("pretrained_lvm")))
        return dict(model_cfg) | {"pretrained_lvm": shape, "pretrained_mask_branch": None}

    @staticmethod
    def renamed(entries: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return entries with the names of transformers 4, which upstream's checkpoints have."""
        return to_version_4(entries)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the trained parts; the mask branch and the vision model stay in evaluation mode."""
        super().train(mode)
        self.Mask_Branch.eval()
        return self

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> BiggerGaitOutput:
        """Describe n tracklets.

        In training, batch norm processes the frames in the same chunks as the vision model, as upstream does.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            lengths: None, or [1, k] lengths of k tracklets that are packed into one, (1, s, 3, height, width).
        """
        parts = [frames]
        # Outside training, chunks only save memory; their number would fix that of the frames in an exported graph.
        if self.training or not torch.compiler.is_compiling():
            parts = list(frames.chunk(frames.shape[1] // CHUNK + 1, dim=1))
        if self.training and lengths is not None:
            # Ranks differ in the number of packed frames, but must run synchronised norms equally often.
            parts += [frames[:, :0]] * (-distributed.minimum(-len(parts)) - len(parts))
        described = [self.frame_maps(part) for part in parts]
        maps = [torch.cat(group, dim=1) for group in zip(*(groups for groups, _ in described), strict=True)]
        embeddings, logits = self.Gait_Net.describe(maps, lengths)
        return BiggerGaitOutput(embeddings, logits, torch.cat([mask for _, mask in described]))

    def describe(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Return the embeddings alone; the modality is ignored."""
        del modality
        return self(frames).embeddings

    def frame_maps(self, frames: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return each group's maps (n, s, c, h, w) of frames (n, s, 3, height, width), and the masks (n*s, 1, h, w)."""
        spaces, mask = self.human_spaces(frames.flatten(0, 1))
        return [maps.unflatten(0, frames.shape[:2]) for maps in self.Gait_Net.maps(spaces)], mask

    def frame_silhouettes(self, frames: Tensor) -> Maps:
        """Return the mask and the maps of all groups, one after the other."""
        spaces, mask = self.human_spaces(frames)
        return Maps(mask, torch.cat(spaces, dim=1))

    def human_spaces(self, frames: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return each group's channels of the person (f, c, h, w), and the masks (f, 1, h, w), of (f, 3, height, w)."""
        layers, mask = self.layer_maps(frames)
        groups = layers.split(self.group_channels, dim=1)
        return [space(group) * mask for space, group in zip(self.HumanSpace_Conv, groups, strict=True)], mask

    @torch.no_grad()
    def layer_maps(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frozen maps: all blocks' tokens under their joint norm, and the person's mask.

        Args:
            frames: (f, 3, height, width).

        Returns:
            The tokens (f, blocks * channels, rows, columns), and the binary mask (f, 1, *size).
        """
        final, blocks = self.Backbone.tokens(frames)
        layers = torch.cat(blocks, dim=-1)
        layers = F.layer_norm(layers, layers.shape[-1:], eps=EPS)
        mask = self.mask(final, blocks[-1], layers)
        return layers.transpose(1, 2).unflatten(2, self.Backbone.grid), mask

    def mask(self, final: Tensor, last: Tensor, layers: Tensor) -> Tensor:
        """Return the binary mask (f, 1, *size) of the person, where the mask branch's channel 1 exceeds one half.

        As upstream does, the mask is thresholded on the tokens' grid, resized and thresholded again.

        Args:
            final: tokens after the vision model's final norm, (f, rows * columns, channels).
            last: raw tokens of the last block, of the same shape.
            layers: all blocks' tokens under their joint norm, (f, rows * columns, blocks * channels).
        """
        if self.mask_tokens == "own_norm":
            tokens = F.layer_norm(last, last.shape[-1:], eps=EPS)
        elif self.mask_tokens == "joint_norm":
            tokens = layers[..., -last.shape[-1] :]
        else:
            tokens = final
        person = self.Mask_Branch(tokens.flatten(0, 1))[:, 1].view(last.shape[0], 1, *self.Backbone.grid)
        mask = (person > 0.5).float()
        return (F.interpolate(mask, size=self.size, mode="bilinear", align_corners=False) > 0.5).float()


def check_keys(model_cfg: Mapping[str, Any]) -> None:
    """Check for required keys, and warn of unknown keys, which are ignored."""
    for key in REQUIRED:
        if key not in model_cfg:
            raise ConfigError(f"model_cfg.{key} is missing; BiggerGait__DINOv2 requires {', '.join(REQUIRED)}.")
    for key in sorted(set(model_cfg) - set(KEYS)):
        log.warning(f"model_cfg.{key} is ignored; BiggerGait__DINOv2 knows {', '.join(KEYS)}.")
