"""BiggerGait (Ye et al., NeurIPS 2025): gait from every layer of a frozen vision model, as a baseline beside DinoGRL.

It sees raw frames, so it trains and tests on visible and infrared tracklets alike, and knows nothing of modalities.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait.modeling.base_model import BaseModel
from opengait.utils.messages import get_msg_mgr
from opengait_ext.models.biggergait.backbone import backbone_config, build_backbone, check_grid, load_backbone
from opengait_ext.models.biggergait.parts import GaitNetwork, GaitNetworks, HumanSpaceConv
from opengait_ext.models.shared.branch import Branch, read_mask_branch
from opengait_ext.models.shared.build import build_part

MaskTokens = Literal["own_norm", "joint_norm", "final_norm"]

REQUIRED = ("backbone_cfg", "SeparateFCs", "SeparateBNNecks", "bin_num")
# What a model_cfg may hold; upstream's files carry more, which is said and left aside.
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
    "Mask_Branch",
    *REQUIRED,
)
# Tracklets of s frames go through in s // CHUNK + 1 pieces.
CHUNK = 96
EPS = 1e-6


class BiggerGait__DINOv2(BaseModel):  # noqa: N801 (upstream's name)
    """BiggerGait on DINOv2, under upstream's names.

    The tokens of all blocks are normalised together and split into groups of neighbouring layers; a `HumanSpace_Conv`
    maps each group to 16 channels, a mask cuts out the person, and a gait network describes each group.

    `model_cfg`, beside GaitBase's `backbone_cfg`, `SeparateFCs`, `SeparateBNNecks` and `bin_num`:

    - `pretrained_lvm`: a Hugging Face folder of DINOv2, or a weight file of DINOv2's release.
    - `pretrained_mask_branch`: a file with BigGait's Mask_Branch, alone or in a checkpoint of BigGait.
    - `image_size`, `sils_size`: width in pixels of the vision model's frames (224) and of the gait network's maps
      (32); heights are twice that.
    - `total_layer_num`, `group_layer_num`, `head_num`: the blocks of the vision model (12), how many make a group, and
      how many gait networks the groups share.
    - `Mask_Branch`: the arguments of the branch, as in BigGait.
    - `mask_tokens`: what the branch reads: the last block's tokens under a norm of their own without affine parameters
      (own_norm), their share of all blocks' joint norm (joint_norm), or the vision model's final norm (final_norm),
      which is what BigGait trains it on.
    - `human_space`: `hidden` (half the vision model's width), `channels` (16) and `affine` (true) of `HumanSpace_Conv`.
    - `position_offset`: see `resample_positions`.

    Raises:
        ConfigError: a number does not fit the others, or there is neither pretrained part nor checkpoint.
        CheckpointError: a weight file is missing or belongs to something else.
    """

    def __init__(self, cfgs: dict[str, Any], training: bool) -> None:
        for key in ("pretrained_lvm", "pretrained_mask_branch"):
            engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
            if cfgs["model_cfg"].get(key) is None and not engine_cfg["restore_hint"]:
                raise ConfigError(
                    f"model_cfg.{key} is missing; BiggerGait__DINOv2 never trains that part, so name its weights, or a "
                    f"checkpoint that has them as restore_hint."
                )
        super().__init__(cfgs, training)

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Make the parts; pretrained values come in `init_parameters`."""
        _check_keys(model_cfg)
        self.pretrained_lvm = model_cfg.get("pretrained_lvm")
        self.pretrained_mask_branch = model_cfg.get("pretrained_mask_branch")
        self.mask_tokens = _known(model_cfg.get("mask_tokens", "own_norm"))
        config = backbone_config(self.pretrained_lvm)
        self.image_size = _twice_as_high(model_cfg.get("image_size", 224), "image_size")
        self.sils_size = _twice_as_high(model_cfg.get("sils_size", 32), "sils_size")
        self.grid = check_grid(config, self.image_size)
        self.group_layer_num, groups = _groups(model_cfg, config.num_hidden_layers)
        width = config.hidden_size
        space = {"hidden": width // 2, "channels": 16, **(model_cfg.get("human_space") or {})}
        given = {"in_channels": self.group_layer_num * width, "size": self.sils_size}

        backbone_cfg = model_cfg["backbone_cfg"] | {"in_channel": space["channels"]}
        heads = range(_heads(model_cfg, groups))
        networks = [GaitNetwork(self.get_backbone(backbone_cfg), model_cfg) for _ in heads]
        self.Gait_Net = GaitNetworks(networks, groups)
        self.HumanSpace_Conv = nn.ModuleList(
            build_part(HumanSpaceConv, "human_space", space, **given) for _ in range(groups)
        )
        self.Mask_Branch = mask_branch(model_cfg.get("Mask_Branch") or {}, width)
        self.Backbone = build_backbone(config, self.image_size, model_cfg.get("position_offset", 0.1))

    def init_parameters(self) -> None:
        """The engine's values for the trained parts, pretrained ones for the others."""
        super().init_parameters()
        if self.pretrained_lvm is not None:
            load_backbone(self.Backbone, self.pretrained_lvm)
        if self.pretrained_mask_branch is not None:
            self.Mask_Branch.load_state_dict(read_mask_branch(self.pretrained_mask_branch, self.Mask_Branch))

    def train(self, mode: bool = True) -> "BiggerGait__DINOv2":
        """The mask branch stays in evaluation mode, as the vision model does by itself."""
        super().train(mode)
        self.Mask_Branch.eval()
        return self

    def forward(self, inputs: tuple) -> dict[str, dict]:
        """Describe RGB frames (n, s, 3, h, w), ImageNet-normalised; with `seqL` the tracklets are packed along s.

        In training, batch norm sees the frames in the same chunks as the vision model, as upstream.
        """
        ipts, labels, _, _, seqL = inputs  # noqa: N806 (upstream's name)
        frames = ipts[0]
        chunks = [self.frame_maps(part) for part in frames.chunk(frames.shape[1] // CHUNK + 1, dim=1)]
        maps = [torch.cat(group, dim=2) for group in zip(*(chunk for chunk, _ in chunks), strict=True)]
        embeddings, logits = self.Gait_Net.describe(maps, seqL)
        return {
            "training_feat": {
                "triplet": {"embeddings": embeddings, "labels": labels},
                "softmax": {"logits": logits, "labels": labels},
            },
            "visual_summary": {"image/mask": torch.cat([mask for _, mask in chunks])},
            "inference_feat": {"embeddings": embeddings},
        }

    def frame_maps(self, frames: Tensor) -> tuple[list[Tensor], Tensor]:
        """Each group's maps (n, c, s, h, w) of frames (n, s, 3, height, width), and the masks (n * s, 1, h, w)."""
        count = frames.shape[:2]
        layers, mask = self.layer_maps(frames.flatten(0, 1))
        groups = layers.split(self.group_layer_num * self.Backbone.channels, dim=1)
        spaces = [space(group) * mask for space, group in zip(self.HumanSpace_Conv, groups, strict=True)]
        return self.Gait_Net.maps([space.unflatten(0, count).transpose(1, 2) for space in spaces]), mask

    @torch.no_grad()
    def layer_maps(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """What is frozen: all blocks' tokens under their joint norm, and the person's mask.

        Args:
            frames: (f, 3, height, width).

        Returns:
            (f, blocks * channels, rows, columns) and (f, 1, *sils_size) of zeros and ones.
        """
        last, blocks = self.Backbone.tokens(frames)
        layers = torch.cat(blocks, dim=-1)
        layers = F.layer_norm(layers, layers.shape[-1:], eps=EPS)
        mask = self.mask(last, blocks[-1], layers)
        return layers.transpose(1, 2).unflatten(2, self.grid), mask

    def mask(self, final: Tensor, last: Tensor, layers: Tensor) -> Tensor:
        """Where channel 1 of the mask branch has more than half of the probability, (f, 1, *sils_size).

        Args:
            final: tokens after the vision model's final norm, (f, rows * columns, channels).
            last: raw tokens of the last block, likewise.
            layers: all blocks' tokens under their joint norm, (f, rows * columns, blocks * channels).
        """
        if self.mask_tokens == "own_norm":
            tokens = F.layer_norm(last, last.shape[-1:], eps=EPS)
        elif self.mask_tokens == "joint_norm":
            tokens = layers[..., -last.shape[-1] :]
        else:
            tokens = final
        person = self.Mask_Branch(tokens.flatten(0, 1))[:, 1].view(len(last), 1, *self.grid)
        return (F.interpolate(person, size=self.sils_size, mode="bilinear", align_corners=False) > 0.5).float()


def mask_branch(settings: Mapping[str, Any], width: int) -> Branch:
    """BigGait's Mask_Branch for tokens of `width` channels, frozen.

    Raises:
        ConfigError: the branch is configured for tokens of another width, or with an unknown key.
    """
    if settings.get("source_dim", width) != width:
        raise ConfigError(
            f"model_cfg.Mask_Branch.source_dim is {settings['source_dim']}, but the vision model has {width} channels."
        )
    branch = build_part(Branch, "Mask_Branch", {"source_dim": width, "target_dim": 2, "Up": True, **settings})
    return branch.requires_grad_(False).eval()


def _check_keys(model_cfg: Mapping[str, Any]) -> None:
    for key in REQUIRED:
        if key not in model_cfg:
            raise ConfigError(f"model_cfg.{key} is missing; BiggerGait__DINOv2 needs {', '.join(REQUIRED)}.")
    for key in sorted(set(model_cfg) - set(KEYS)):
        get_msg_mgr().log_warning(f"model_cfg.{key} is read by nobody; BiggerGait__DINOv2 knows {', '.join(KEYS)}.")


def _heads(model_cfg: Mapping[str, Any], groups: int) -> int:
    heads = model_cfg.get("head_num", 1)
    if not isinstance(heads, int) or heads < 1 or groups % heads:
        raise ConfigError(f"model_cfg.head_num is {heads!r}; it must divide the {groups} groups of layers evenly.")
    return heads


def _groups(model_cfg: Mapping[str, Any], depth: int) -> tuple[int, int]:
    """(layers of a group, groups)."""
    total, size = model_cfg.get("total_layer_num", depth), model_cfg.get("group_layer_num", 1)
    if total != depth:
        raise ConfigError(f"model_cfg.total_layer_num is {total}, but the vision model has {depth} blocks.")
    if not isinstance(size, int) or size < 1 or total % size:
        raise ConfigError(f"model_cfg.group_layer_num is {size!r}; it must divide the {total} layers into groups.")
    return size, total // size


def _known(mask_tokens: str) -> MaskTokens:
    if mask_tokens not in get_args(MaskTokens):
        raise ConfigError(
            f"model_cfg.mask_tokens is {mask_tokens!r}; it must be one of {', '.join(get_args(MaskTokens))}."
        )
    return mask_tokens


def _twice_as_high(width: Any, key: str) -> tuple[int, int]:
    if not isinstance(width, int) or width < 1:
        raise ConfigError(f"model_cfg.{key} is {width!r}; wanted is a width in pixels, whose double is the height.")
    return 2 * width, width
