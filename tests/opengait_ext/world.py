"""A drawn dataset and a small DinoGRL for tests that run the whole engine."""

from pathlib import Path

import torch
import yaml

from tests.paths import ROOT

TINY_VIT = {
    "name": "vit_tiny_patch16_224",
    "layers": [0, 1],
    "image_size": [64, 32],
    "arguments": {"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
}


def draw_world(folder: Path) -> Path:
    """Draw eight people to train on and five to test on, and write a vision transformer's weights."""
    from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate
    from opengait_ext.models.shared.transformer import build_transformer

    config = SyntheticConfig(train_identities=8, test_identities=5, cameras=2, frames=14, size=(64, 32), seed=3)
    generate(folder / "data", config)
    torch.manual_seed(0)
    vit = build_transformer(TINY_VIT["name"], (64, 32), TINY_VIT["arguments"])
    torch.save(vit.state_dict(), folder / "vit.pth")
    return folder


def write_config(world: Path, folder: Path, **changes) -> Path:
    """Write a variant of configs/dinogrl/demo.yaml with small sizes and the paths of a test."""
    content = {
        "base": str(ROOT / "configs/dinogrl/demo.yaml"),
        "data_cfg": {"dataset_root": str(world / "data"), "frame_size": [64, 32], "num_workers": 0},
        "model_cfg": {
            "num_classes": 8,
            "dimension": 8,
            "granularities": [2, 4],
            "appearance": {"width": 8, "weights": None},
            "vision_model": TINY_VIT | {"weights": str(world / "vit.pth")},
            "silhouette": {"size": [16, 8], "channels": 8, "hidden": 8},
            "gait": {"width": 8, "weights": None},
        },
        "trainer_cfg": {
            "output_root": str(folder / "output"),
            "total_iter": 4,
            "save_iter": 1,
            "log_iter": 1,
            "sampler": {"batch_size": [4, 2], "frames_num_fixed": 2},
            **changes,
        },
        "evaluator_cfg": {"restore_hint": 4},
        # Plain steps, so that parameters differ no more than gradients do.
        "optimizer_cfg": {"solver": "SGD", "lr": 0.01, "momentum": 0.9, "groups": []},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [3]},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
