"""How evenly a frame uses the channels of its maps: the diversity term of BigGait and of DinoGRL (Eq. 8)."""

import math

import torch
from torch import Tensor


def channel_usage_loss(maps: Tensor, eps: float = 0.0, count_empty: bool = False) -> Tensor:
    """Return the mean over frames of log2(c) - H(p), in bits; p is a channel's share of a frame's sum.

    Args:
        maps: (f, c, h, w), not negative.
        eps: added to the sum and inside the logarithm.
        count_empty: whether a frame of zeros counts log2(c), as in BigGait with its positive eps; else it is left out.
    """
    usage = maps.float().sum(dim=(2, 3))
    counted = (usage.sum(dim=1) > 0) | count_empty
    usage = usage.where(counted[:, None], 1.0)
    share = usage / (usage.sum(dim=1, keepdim=True) + eps)
    terms = -share * (share + eps).log2() if eps else torch.special.entr(share) / math.log(2)
    excess = math.log2(maps.shape[1]) - terms.sum(dim=1)
    return (excess * counted).sum() / counted.sum().clamp(min=1)
