"""Small networks for the tests of the equations."""

import torch

from opengait_ext.models import DinoGRLNet

TINY_VIT = {
    "name": "vit_tiny_patch16_224",
    "layers": [0, 1],
    "image_size": [128, 64],
    "arguments": {"patch_size": 16, "embed_dim": 24, "depth": 2, "num_heads": 2},
}


def tiny_config(**changes) -> dict:
    """Return the `model_cfg` of a network that runs in milliseconds on frames of 128 x 64."""
    config = {
        "model": "DinoGRL",
        "num_classes": 5,
        "dimension": 12,
        "appearance": {"backbone": "resnet10", "width": 8, "stem_pool": False},
        "vision_model": TINY_VIT,
        "silhouette": {"size": [64, 32], "channels": 8, "priors": 6},
        "gait": {"backbone": "resnet10", "width": 8},
    }
    return config | changes


def tiny_network(seed: int = 0, **changes) -> DinoGRLNet:
    torch.manual_seed(seed)
    return DinoGRLNet.from_config(tiny_config(**changes))


def tiny_batch(tracklets: int = 4, frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Return frames (n, s, 3, 128, 64) and alternating modalities (n)."""
    torch.manual_seed(1)
    return torch.randn(tracklets, frames, 3, 128, 64), torch.arange(tracklets) % 2
