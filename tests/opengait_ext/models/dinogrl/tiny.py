"""Settings of a small DinoGRL with given masks or with SASG, and frames with masks."""

import torch

MODEL = {
    "dimension": 8,
    "granularities": [2, 4],
    "num_classes": 3,
    "appearance": {"backbone": "resnet10", "width": 8},
    "silhouette": {"type": "masks", "size": [16, 8], "channels": 8},
    "gait": {"backbone": "resnet10", "width": 8},
}
SASG = {
    "vision_model": {
        "name": "vit_tiny_patch16_224",
        "layers": [0],
        "image_size": [64, 32],
        "arguments": {"patch_size": 16, "embed_dim": 16, "depth": 1, "num_heads": 1},
    },
    "silhouette": {"type": "sasg", "size": [16, 8], "channels": 8, "priors": 4},
}


def given(count: int = 2, frames: int = 3, maps: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(count, frames, maps, 64, 32, generator=generator) < 0.4).float()
    masks[..., :16, :] = 0  # background
    return torch.randn(count, frames, 3, 64, 32, generator=generator), masks
