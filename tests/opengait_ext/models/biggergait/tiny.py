"""A BiggerGait small enough for tests, its weight files, and the names of its state."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from opengait_ext.models.biggergait.backbone import Dinov2Config
from opengait_ext.models.biggergait.network import BiggerGaitNet, mask_branch
from tests.golden import seeded
from tests.golden.compare import normals
from tests.opengait_ext.models.biggergait.hugging_face import SETTINGS, hugging_face_shapes, weights

GROUPS, PARTS = 3, 8


def write_weights(folder: Path) -> dict[str, str]:
    """Write a tiny vision model's folder and a mask branch's file, and return their keys of `model_cfg`."""
    (folder / "config.json").write_text(json.dumps(SETTINGS))
    save_file(weights(), folder / "model.safetensors")
    branch = mask_branch({}, SETTINGS["hidden_size"])
    seeded.fill_state(branch)
    torch.save({"model": branch.state_dict()}, folder / "mask.pt")
    return {"pretrained_lvm": str(folder), "pretrained_mask_branch": str(folder / "mask.pt")}


def model_cfg(**changes) -> dict:
    return {
        "model": "BiggerGait__DINOv2",
        "image_size": 8,
        "sils_size": 8,
        "total_layer_num": 3,
        "group_layer_num": 1,
        "head_num": 1,
        "position_offset": 0,
        "backbone_cfg": {
            "type": "ResNet9",
            "block": "BasicBlock",
            "channels": [4, 5, 6, 7],
            "layers": [1, 1, 1, 1],
            "strides": [1, 2, 1, 1],
            "maxpool": False,
        },
        "SeparateFCs": {"in_channels": 7, "out_channels": 5, "parts_num": PARTS},
        "SeparateBNNecks": {"class_num": 4, "in_channels": 5, "parts_num": PARTS},
        "bin_num": [PARTS],
        **changes,
    }


def network(settings: dict) -> BiggerGaitNet:
    return BiggerGaitNet.from_config(settings)


def frames_of(n: int, s: int, size: tuple[int, int] = (16, 8)) -> torch.Tensor:
    return normals("bigger:rgb", n, s, 3, *size)


NORM = ("running_mean", "running_var", "num_batches_tracked")


def published_names(groups: int, heads: int, depth: int) -> set[str]:
    """Return every name of the state, written out from the published checkpoints."""
    names = {f"Backbone.{name}" for name in hugging_face_shapes(Dinov2Config()) if "layer." not in name}
    block = [name for name in hugging_face_shapes(Dinov2Config()) if "encoder.layer.0." in name]
    names |= {f"Backbone.{name}".replace("layer.0", f"layer.{number}") for number in range(depth) for name in block}
    names |= {f"Mask_Branch.{norm}.{leaf}" for norm in ("bn_s", "bn_t") for leaf in NORM}
    names |= {f"Mask_Branch.{direction}_sampling.{leaf}" for direction in ("down", "up") for leaf in ("weight", "bias")}
    for group in range(groups):
        space = f"HumanSpace_Conv.{group}"
        names |= {f"{space}.{index}.{leaf}" for index in (1, 4) for leaf in ("weight", "bias")}
        names |= {f"{space}.{index}.{leaf}" for index in (0, 2, 6) for leaf in NORM}
    norm = (*NORM, "weight", "bias")
    for net in [f"real_gait.{head}" for head in range(heads)] + [f"Gait_List.{group}" for group in range(groups)]:
        stem, stages = f"Gait_Net.{net}.pre_rgb.forward_block", f"Gait_Net.{net}.post_backbone.forward_block"
        names |= {f"{stem}.conv1.conv.weight"} | {f"{stem}.bn1.{leaf}" for leaf in norm}
        for stage in (f"{stem}.layer1", f"{stages}.layer2", f"{stages}.layer3", f"{stages}.layer4"):
            names |= {f"{stage}.0.conv{number}.weight" for number in (1, 2)}
            names |= {f"{stage}.0.bn{number}.{leaf}" for number in (1, 2) for leaf in norm}
            if stage[-1] != "1":
                names |= {f"{stage}.0.downsample.0.weight"} | {f"{stage}.0.downsample.1.{leaf}" for leaf in norm}
        names |= {f"Gait_Net.{net}.{head}.fc_bin" for head in ("FCs", "BNNecks")}
        names |= {f"Gait_Net.{net}.BNNecks.bn1d.{leaf}" for leaf in norm}
    return names
