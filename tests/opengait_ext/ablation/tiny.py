"""Overrides that make a row small enough for a test."""

from tests.equations.networks import TINY_VIT

PART = {"backbone": "resnet10", "weights": None, "width": 8, "strides": [1, 1, 1, 1]}
TINY = [
    "data_cfg.frame_size=[64,32]",
    "model_cfg.num_classes=3",
    "model_cfg.dimension=8",
    f"model_cfg.appearance={PART}",
    f"model_cfg.gait={PART}",
    f"model_cfg.vision_model={TINY_VIT | {'weights': None, 'image_size': [64, 32], 'precision': 'float32'}}",
    "model_cfg.silhouette.size=[16,8]",
    "model_cfg.silhouette.channels=8",
]
