"""Eq. 7: L_smo by Sobel operators."""

import pytest
import torch

from opengait_ext.models.dinogrl.losses import smoothness_loss


def test_a_constant_map_costs_nothing():
    assert smoothness_loss(torch.full((2, 3, 6, 4), 0.75)).item() == 0


def test_a_ramp_by_hand():
    # Slope 1 along x: inside, the kernel (1, 2, 1) gives (1 + 2 + 1) * 2 = 8; at a replicated border half of it.
    ramp = torch.arange(5.0).expand(1, 1, 4, 5)
    assert smoothness_loss(ramp).item() == pytest.approx((3 * 8 + 2 * 4) / 5)
    assert smoothness_loss(ramp.transpose(2, 3)).item() == pytest.approx((3 * 8 + 2 * 4) / 5)


def test_one_bright_pixel_by_hand():
    maps = torch.zeros(1, 1, 5, 5)
    maps[0, 0, 2, 2] = 1
    # Each kernel has absolute sum 8, and the pixel meets every entry once: 8 + 8 over 25 positions.
    assert smoothness_loss(maps).item() == pytest.approx(16 / 25)


def test_channels_are_not_added_before_the_absolute_value():
    ramp = torch.arange(5.0).expand(1, 1, 4, 5)
    opposite = torch.cat([ramp, -ramp], dim=1)
    assert smoothness_loss(opposite).item() == smoothness_loss(ramp).item()


def test_mean_over_frames_and_gradient():
    torch.manual_seed(0)
    maps = torch.rand(3, 2, 5, 4, dtype=torch.float32)
    per_frame = torch.stack([smoothness_loss(frame[None]) for frame in maps])
    assert torch.allclose(smoothness_loss(maps), per_frame.mean())
    maps.requires_grad_()
    smoothness_loss(maps).backward()
    step = torch.zeros_like(maps)
    step[1, 0, 2, 2] = 1e-2
    with torch.no_grad():
        slope = (smoothness_loss(maps + step) - smoothness_loss(maps - step)) / 2e-2
    assert torch.isclose(slope, maps.grad[1, 0, 2, 2], atol=1e-3)
