"""Eq. 8: L_div by the entropy of the channels' shares."""

import math

import torch

from opengait_ext.models.dinogrl.losses import diversity_loss


def test_even_use_has_zero_loss():
    assert abs(diversity_loss(torch.ones(2, 16, 3, 3)).item()) < 1e-6


def test_a_single_channel_has_the_maximum_in_bits():
    maps = torch.zeros(1, 16, 3, 3)
    maps[:, 5] = 0.3
    assert diversity_loss(maps).item() == 4


def test_two_of_four_channels_by_hand():
    maps = torch.tensor([3.0, 1.0, 0.0, 0.0]).view(1, 4, 1, 1)
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert abs(diversity_loss(maps).item() - (2 - entropy)) < 1e-6


def test_shares_are_per_frame_and_the_loss_is_their_mean():
    maps = torch.zeros(2, 2, 1, 2)
    maps[0, 0], maps[1, 1] = 1, 1
    # Together the two frames use both channels; each alone uses one.
    assert diversity_loss(maps).item() == 1
    assert diversity_loss(maps * 0.01).item() == 1, "the loss is scale-invariant"


def test_gradient_lowers_the_dominant_channel():
    maps = torch.tensor([0.9, 0.1]).view(1, 2, 1, 1).requires_grad_()
    diversity_loss(maps).backward()
    assert maps.grad[0, 0] > 0 > maps.grad[0, 1]
    empty = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    assert math.isfinite(diversity_loss(empty).item())
