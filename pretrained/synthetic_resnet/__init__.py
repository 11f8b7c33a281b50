"""A small ResNet for CPUs, in place of torchvision's, which was trained on ImageNet."""

from pretrained.synthetic_resnet.trainer import PretrainSettings, Recogniser, pretrain

__all__ = ["PretrainSettings", "Recogniser", "pretrain"]
