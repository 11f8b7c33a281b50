"""A tiny vision transformer for the demo, since DINOv2 is too slow for a CPU and cannot be shipped."""

from pretrained.synthetic_vit.trainer import PretrainSettings, pretrain

__all__ = ["PretrainSettings", "pretrain"]
