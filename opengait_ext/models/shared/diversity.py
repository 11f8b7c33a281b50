"""The diversity loss of BigGait and of DinoGRL (Eq. 8): a frame uses all channels of the gait prior evenly."""

import math

import torch
from torch import Tensor

from opengait import distributed


def diversity_loss(gait_prior: Tensor, eps: float = 0.0, count_empty: bool = False) -> Tensor:
    """Return the mean over frames of H_max - H(P), in bits (Eq. 8); averaged over ranks, it is that of all frames.

    P_i is channel i's share of a frame's total activation, H(P) = -sum_i P_i log2 P_i and H_max = log2(channels). The
    paper leaves the base open; the release uses base 2, for which its weight of 5 was chosen.

    Args:
        gait_prior: E_g(f_{m,c}), non-negative, (f, channels, h, w); the denoising maps in BigGait.
        eps: added to the total and inside the logarithm; 1e-6 in the release.
        count_empty: count a frame of zeros as H_max, as BigGait does with its positive eps, instead of skipping it.
    """
    usage = gait_prior.float().sum(dim=(2, 3))
    counted = (usage.sum(dim=1) > 0) | count_empty
    usage = usage.where(counted[:, None], 1.0)
    share = usage / (usage.sum(dim=1, keepdim=True) + eps)
    terms = -share * (share + eps).log2() if eps else torch.special.entr(share) / math.log(2)
    excess = math.log2(gait_prior.shape[1]) - terms.sum(dim=1)
    frames = distributed.mean_over_ranks(counted.sum())
    return (excess * counted).sum() / frames.clamp(min=1 / distributed.world_size())
