"""Freezing of parameters."""

from torch import nn


def RmBN2dAffine(model: nn.Module) -> None:
    """Freeze the scale and shift of every `BatchNorm2d` in `model` (upstream `RmBN2dAffine`)."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            module.weight.requires_grad_(False)
            module.bias.requires_grad_(False)
