"""Parts and numbers of BiggerGait from the settings of `model_cfg`, with an error for each that does not fit."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from opengait.errors import ConfigError
from opengait.modeling import modules
from opengait.modeling.backbones import ResNet9
from opengait.utils.arguments import accepted_arguments
from opengait_ext.models.shared.branch import Branch
from opengait_ext.models.shared.build import build_part
from opengait_ext.models.shared.gaitbase import GaitBase, gait_backbone

MaskTokens = Literal["own_norm", "joint_norm", "final_norm"]


def gait_network(model_cfg: Mapping[str, Any], channels: int) -> GaitBase:
    """Return GaitBase for the maps of one group, of `channels` channels."""
    backbone_cfg = {"type": model_cfg["backbone_cfg"].get("type")}
    backbone_cfg |= accepted_arguments(ResNet9, model_cfg["backbone_cfg"], ["type"])
    return GaitBase(
        {"pre_rgb": gait_backbone(backbone_cfg, channels)},
        build_part(modules.SeparateFCs, "SeparateFCs", model_cfg["SeparateFCs"]),
        build_part(modules.SeparateBNNecks, "SeparateBNNecks", model_cfg["SeparateBNNecks"]),
        model_cfg["bin_num"],
    )


def mask_branch(settings: Mapping[str, Any], width: int) -> Branch:
    """Return BigGait's Mask_Branch for tokens of `width` channels, frozen.

    Raises:
        ConfigError: the branch is configured for tokens of another width, or with an unknown key.
    """
    if settings.get("source_dim", width) != width:
        raise ConfigError(
            f"model_cfg.Mask_Branch.source_dim is {settings['source_dim']}, but the vision model has {width} channels."
        )
    branch: Branch = build_part(Branch, "Mask_Branch", {"source_dim": width, "target_dim": 2, "Up": True, **settings})
    return branch.requires_grad_(False).eval()


def head_count(model_cfg: Mapping[str, Any], groups: int) -> int:
    """Return the number of gait networks that the groups share."""
    heads = model_cfg.get("head_num", 1)
    if not isinstance(heads, int) or heads < 1 or groups % heads:
        raise ConfigError(f"model_cfg.head_num is {heads!r}; it must divide the {groups} groups of layers evenly.")
    return heads


def layer_groups(model_cfg: Mapping[str, Any], depth: int) -> tuple[int, int]:
    """Return the numbers of layers per group and of groups."""
    total, size = model_cfg.get("total_layer_num", depth), model_cfg.get("group_layer_num", 1)
    if total != depth:
        raise ConfigError(f"model_cfg.total_layer_num is {total}, but the vision model has {depth} blocks.")
    if not isinstance(size, int) or size < 1 or total % size:
        raise ConfigError(f"model_cfg.group_layer_num is {size!r}; it must divide the {total} layers into groups.")
    return size, total // size


def known_mask_tokens(name: Any) -> MaskTokens:
    """Return `name` if it is a valid value of `mask_tokens`."""
    for known in get_args(MaskTokens):
        if name == known:
            return known
    raise ConfigError(f"model_cfg.mask_tokens is {name!r}; expected one of {', '.join(get_args(MaskTokens))}.")


def twice_as_high(width: Any, key: str) -> tuple[int, int]:
    """Return (height, width) of frames that are twice as high as wide, from their width."""
    if not isinstance(width, int) or width < 1:
        raise ConfigError(f"model_cfg.{key} is {width!r}; expected a width in pixels, whose double is the height.")
    return 2 * width, width
