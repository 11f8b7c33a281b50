"""Space-time non-local block (Wang et al., CVPR 2018): every position attends to all positions of all frames."""

import torch.nn.functional as F
from torch import Tensor, nn

# The inner width is a quarter of the channels.
REDUCTION = 4


class SpaceTimeBlock(nn.Module):
    """z = x + W(softmax(theta^T phi) g), where theta, phi and g are linear maps of a tracklet's positions.

    W ends with a norm that starts at zero, so that a new block is the identity and pretrained stages keep their
    function.

    Args:
        channels: of the maps.

    Shape: (n, channels, s, h, w) -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // REDUCTION, 1)
        self.query = nn.Conv3d(channels, inner, 1)
        self.key = nn.Conv3d(channels, inner, 1)
        self.value = nn.Conv3d(channels, inner, 1)
        self.out = nn.Conv3d(inner, channels, 1)
        self.norm = nn.BatchNorm3d(channels)
        for layer in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.get_parameter("bias"))
        nn.init.zeros_(self.norm.weight)

    def forward(self, maps: Tensor) -> Tensor:
        query, key, value = (
            layer(maps).flatten(2).transpose(1, 2)[:, None] for layer in (self.query, self.key, self.value)
        )
        # Never holds the matrix of affinities: at 288 x 144, a tracklet of 6 frames has 15 million of them in layer2.
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)[:, 0]
        return maps + self.norm(self.out(attended.transpose(1, 2).unflatten(2, maps.shape[2:])))
