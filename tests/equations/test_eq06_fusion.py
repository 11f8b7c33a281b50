"""Eq. 6: M = S x F_attn(E_g, E_a)."""

import copy

import pytest
import torch

from opengait.errors import ConfigError
from opengait_ext.models.dinogrl.silhouette import SilhouetteGenerator
from opengait_ext.models.shared.fusion import AttentionFusion, PriorFusion
from opengait_ext.models.shared.tokens import scatter_tokens
from opengait_ext.models.shared.vision_model import VisionFeatures


def features(frames: int = 3, channels: int = 6, layers: int = 2, grid=(8, 4)) -> VisionFeatures:
    torch.manual_seed(0)
    count = grid[0] * grid[1]
    return VisionFeatures(torch.randn(frames, count, channels), torch.randn(frames, count, channels * layers), grid)


def generator(**changes) -> SilhouetteGenerator:
    torch.manual_seed(1)
    return SilhouetteGenerator(6, layers=2, size=(16, 8), priors=4, channels=8, **changes)


def test_fusion_of_equal_inputs_is_the_input():
    fusion = AttentionFusion(8, squeeze=2).eval()
    maps = torch.randn(2, 8, 4, 3)
    assert torch.allclose(fusion(maps, maps), maps, atol=1e-6)


def test_fusion_weights_have_the_releases_channel_order():
    fusion = AttentionFusion(2, squeeze=1).eval()
    gait, appearance = torch.randn(1, 2, 3, 3), torch.randn(1, 2, 3, 3)
    scores = fusion.conv(torch.cat([gait, appearance], dim=1))
    expected = torch.empty_like(gait)
    for channel in range(2):
        first, second = scores[:, 2 * channel].exp(), scores[:, 2 * channel + 1].exp()
        expected[:, channel] = (first * gait[:, channel] + second * appearance[:, channel]) / (first + second)
    assert torch.allclose(fusion(gait, appearance), expected, atol=1e-6)


def test_enriched_silhouette_is_the_soft_mask_times_the_fusion():
    module = generator().eval()
    out = module(features())
    fused = module.fusion(module.enlarge(out.gait_prior), module.enlarge(out.appearance_prior))
    assert out.mask.shape == (3, 1, 16, 8)
    assert out.enriched.shape == (3, 8, 16, 8)
    assert torch.allclose(out.enriched, out.mask * fused)


def test_priors_are_zero_outside_the_covered_tokens():
    out = generator().eval()(features())
    covered = out.gait_prior.sum(dim=1) > 0
    assert torch.allclose(out.gait_prior.sum(dim=1)[covered], torch.ones(int(covered.sum()))), "E_g is a softmax"
    assert out.appearance_prior[~covered[:, None].expand_as(out.appearance_prior)].eq(0).all()


def test_scattered_tokens_return_to_their_positions():
    chosen = torch.tensor([False, True, False, False, False, True, True, False, False, False, False, False])
    maps = scatter_tokens(torch.tensor([[1.0], [2.0], [3.0]]), chosen, torch.Size([2, 1, 3, 2]))
    assert maps[0, 0].tolist() == [[0, 1], [0, 0], [0, 2]]
    assert maps[1, 0].tolist() == [[3, 0], [0, 0], [0, 0]]


def test_the_reid_gradient_reaches_the_mask_through_the_product():
    module = generator()
    module(features()).enriched.sum().backward()
    for encoder in (module.mask_encoder, module.gait_encoder, module.appearance_encoder):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.down_sampling.parameters())


@pytest.mark.parametrize(("gait", "appearance"), [(True, False), (False, True)])
def test_a_single_prior(gait, appearance):
    out = generator(gait_prior=gait, appearance_prior=appearance)(features())
    assert (out.gait_prior is not None, out.appearance_prior is not None) == (gait, appearance)
    assert out.enriched.shape == (3, 8, 16, 8)


def test_no_prior_is_an_error():
    with pytest.raises(ConfigError, match="gait_prior or appearance_prior"):
        generator(gait_prior=False, appearance_prior=False)


def test_each_prior_has_its_own_stem():
    fusion = PriorFusion(priors=3, channels=8)
    names = {name.split(".")[0] for name, _ in fusion.named_parameters()}
    assert names == {"pre_part", "pre_rgb", "fusion"}


def test_the_fusion_is_accurate_for_channels_last_inputs():
    """Scattered tokens are channels-last, where batch norm loses digits on CPUs."""
    torch.manual_seed(0)
    priors = [torch.rand(24, 64 * 32, 16).transpose(1, 2).unflatten(2, (64, 32)) for _ in range(2)]
    fusion = PriorFusion(priors=16, channels=8).train()
    with torch.no_grad():
        exact = copy.deepcopy(fusion).double()(*(prior.double() for prior in priors))
        output = fusion(*priors)
    assert float((output - exact).norm() / exact.norm()) < 1.5e-6
