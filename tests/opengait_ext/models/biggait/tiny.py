"""A BigGait that runs in milliseconds: a DINOv2 of four narrow blocks, frames of 112 x 56, maps of 16 x 8."""

from collections.abc import Mapping
from typing import Any

import torch

from opengait_ext.models.biggait.network import BigGaitNet

VISION = {
    "name": "vit_small_patch14_dinov2",
    "layers": [0, 1, 2, 3],
    "arguments": {"embed_dim": 24, "depth": 4, "num_heads": 2},
}


def tiny_config(**changes: Any) -> dict[str, Any]:
    """Return the `model_cfg` of a small BigGait."""
    config = {
        "model": "BigGait__Dinov2_Gaitbase",
        "pretrained_dinov2": None,
        "image_size": 56,
        "sils_size": 8,
        "vision_model": VISION,
        "Mask_Branch": {"source_dim": 24, "target_dim": 2, "p": 0.5, "softmax": True, "Relu": False, "Up": True},
        "Denoising_Branch": {"source_dim": 96, "target_dim": 4, "p": 0, "softmax": True, "Relu": True, "Up": False},
        "Appearance_Branch": {"source_dim": 96, "target_dim": 4, "p": 0, "softmax": False, "Relu": False, "Up": False},
        "AttentionFusion": {"in_channels": 8, "squeeze_ratio": 2, "feat_len": 2},
        "backbone_cfg": {
            "type": "ResNet9",
            "block": "BasicBlock",
            "in_channel": 1,
            "channels": [8, 8, 12, 16],
            "layers": [1, 1, 1, 1],
            "strides": [1, 2, 2, 1],
            "maxpool": False,
        },
        "SeparateFCs": {"in_channels": 16, "out_channels": 6, "parts_num": 4},
        "SeparateBNNecks": {"class_num": 8, "in_channels": 6, "parts_num": 4},
        "bin_num": [4],
    }
    for key, value in changes.items():
        nested = isinstance(config.get(key), Mapping) and isinstance(value, Mapping)
        config[key] = {**config[key], **value} if nested else value
    return config


def tiny_network(seed: int = 0, **changes: Any) -> BigGaitNet:
    torch.manual_seed(seed)
    return BigGaitNet.from_config(tiny_config(**changes))


def tiny_frames(*shape: int, seed: int = 1) -> torch.Tensor:
    """Return standard normals as frames of 64 x 32, of shape (n, s, 3, 64, 32)."""
    torch.manual_seed(seed)
    return torch.randn(*shape, 3, 64, 32)
