"""The release's network, small enough to run in milliseconds on frames of 128 x 64."""

import torch

from opengait_ext.models import DinoGRLNet
from tests.equations.networks import TINY_VIT

GRANULARITIES = [2, 4]


def small_config(**changes) -> dict:
    """Return a `model_cfg` with the release's choices, without dropout and without dropped priors."""
    silhouette = {
        "size": [16, 8],
        "channels": 8,
        "priors": 6,
        "enlarge_tokens": True,
        "foreground": "border",
        "soft_mask": False,
    }
    return {
        "num_classes": 5,
        "dimension": 12,
        "granularities": GRANULARITIES,
        "enhancement": {"type": "release", "embedding": 7},
        "supervised": "parts",
        "descriptor": "parts",
        "normalise": False,
        "cosine": True,
        "appearance": {"backbone": "resnet10", "width": 8, "non_local": False, "stem_relu": False},
        "vision_model": TINY_VIT,
        "silhouette": silhouette | changes.pop("silhouette", {}),
        "gait": {"backbone": "resnet10", "width": 8},
        **changes,
    }


def small_network(seed: int = 0, **changes) -> DinoGRLNet:
    """Build a network with random values where PBMGE would start as the identity and the mask as one half."""
    torch.manual_seed(seed)
    network = DinoGRLNet.from_config(small_config(**changes))
    for name, parameter in network.enhancement.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3 if ".1." in name else 1.0)
    torch.nn.init.normal_(network.silhouette_generator.mask_encoder.down_sampling.bias, std=0.3)
    return network


def small_batch(tracklets: int = 4, frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Return frames (n, s, 3, 128, 64), visible tracklets before infrared ones, and modalities (n)."""
    torch.manual_seed(1)
    return torch.randn(tracklets, frames, 3, 128, 64), torch.arange(tracklets) // max(tracklets // 2, 1) % 2
