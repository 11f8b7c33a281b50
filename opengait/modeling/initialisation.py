"""Initial values of parameters."""

from torch import nn


def xavier_init(module: nn.Module) -> None:
    """Initialise a module and its sub-modules as OpenGait does.

    Convolutions and linear layers get Xavier-uniform weights and zero biases, affine batch norms weights drawn from
    N(1, 0.02) and zero biases; other parameters are left unchanged.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.xavier_uniform_(part.weight.data)
            if part.bias is not None:
                nn.init.constant_(part.bias.data, 0.0)
        elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and part.affine:
            nn.init.normal_(part.weight.data, 1.0, 0.02)
            nn.init.constant_(part.bias.data, 0.0)
