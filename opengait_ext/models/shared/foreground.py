"""Foreground of a frame's two-way partition: its channel, and the tokens that it covers."""

import torch
import torch.nn.functional as F
from torch import Tensor


def centred_channel(probabilities: Tensor, margin: float = 0.15) -> Tensor:
    """Return the "spatially centered foreground mask" of Section 3.2: the channel denser inside than at the border.

    The two channels sum to one, so exactly one of them is denser inside, and swapping them swaps the choice.

    Args:
        probabilities: (f, 2, h, w), softmax over the channels.
        margin: share of the height and the width that counts as border on each side.

    Returns:
        (f, 1, h, w), with the gradient of the chosen channel.
    """
    height, width = probabilities.shape[-2:]
    rows, columns = max(1, round(margin * height)), max(1, round(margin * width))
    first = probabilities[:, 0].detach().float()
    inside = first[:, rows : height - rows, columns : width - columns]
    # The border as what is left of the sum would lose digits.
    border = torch.ones(height, width, device=probabilities.device)
    border[rows : height - rows, columns : width - columns] = 0
    contrast = inside.mean(dim=(1, 2)) - (first * border).sum(dim=(1, 2)) / (height * width - inside[0].numel())
    return torch.where((contrast < 0).view(-1, 1, 1, 1), probabilities[:, 1:], probabilities[:, :1])


def border_channel(probabilities: Tensor, rows: int = 5) -> Tensor:
    """Return BigGait's and the release's choice: channel 0, unless it fills most of a frame's top and bottom rows.

    Args:
        probabilities: (f, 2, h, w), softmax over the channels.
        rows: number of border rows at the top and at the bottom.

    Returns:
        (f, 1, h, w), with the gradient of the chosen channel; a tie keeps channel 0.
    """
    first = probabilities[:, 0].detach().round()
    border = first[:, :rows].sum(dim=(1, 2)) + first[:, -rows:].sum(dim=(1, 2))
    second = border > rows * probabilities.shape[-1]
    return torch.where(second.view(-1, 1, 1, 1), probabilities[:, 1:], probabilities[:, :1])


def silhouette_band(mask: Tensor) -> Tensor:
    """Return BigGait's silhouette: one inside, the probability in a band along the contour, zero outside.

    The rounded mask is dilated (3x3) and then eroded (5x5); the difference is the band. Both ignore pixels outside the
    frame.

    Shape: (f, 1, h, w) -> (f, 1, h, w), without gradient.
    """
    mask = mask.detach()
    dilated = F.max_pool2d(mask.round(), 3, stride=1, padding=1)
    eroded = -F.max_pool2d(-dilated, 5, stride=1, padding=2)
    return torch.where(eroded > 0, eroded, dilated * mask)


def covered_tokens(mask: Tensor) -> Tensor:
    """Return the tokens that the encoders read: the rounded mask dilated by one token (3x3), as in BigGait.

    A frame with an empty mask keeps all of its tokens, so the norms and the diversity loss stay defined.

    Args:
        mask: (f, 1, h, w) foreground probability.

    Returns:
        (f, 1, h, w), bool.
    """
    dilated = F.max_pool2d((mask.detach() > 0.5).float(), 3, stride=1, padding=1) > 0
    empty = ~dilated.flatten(1).any(dim=1)
    return dilated | empty.view(-1, 1, 1, 1)
