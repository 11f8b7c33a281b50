"""Space-time block, multi-view attention and pooling against their formulas, position by position."""

import pytest
import torch
from torch import Tensor

from opengait_ext.models.m3_reid.attention import MultiViewAttention, masked_gem
from opengait_ext.models.m3_reid.non_local import SpaceTimeBlock


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """Give every parameter random values, also those that start at zero."""
    generator = torch.Generator().manual_seed(1)
    for parameter in module.double().parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return module


def slow_block(block: SpaceTimeBlock, x: Tensor) -> Tensor:
    """Return z = x + BN(W y), where y_i = sum_j softmax_j(theta_i . phi_j) g_j."""
    size, matrices = x.shape[2:], {}
    for name in ("query", "key", "value", "out"):
        layer = block.get_submodule(name)
        matrices[name] = layer.weight.flatten(1), layer.bias
    results = []
    for tracklet in x:
        positions = [tracklet.flatten(1)[:, index] for index in range(tracklet[0].numel())]
        theta, phi, g = (
            [matrices[name][0] @ position + matrices[name][1] for position in positions]
            for name in ("query", "key", "value")
        )
        rows = []
        for own in theta:
            weights = torch.stack([(own * other).sum() for other in phi]).exp()
            y = sum(weight * value for weight, value in zip(weights / weights.sum(), g, strict=True))
            rows.append(matrices["out"][0] @ y + matrices["out"][1])
        results.append(torch.stack(rows, dim=1))
    w = torch.stack(results)
    mean = w.mean(dim=(0, 2), keepdim=True)
    variance = w.var(dim=(0, 2), keepdim=True, correction=0)
    normalised = (w - mean) / (variance + block.norm.eps).sqrt()
    scaled = normalised * block.norm.weight[:, None] + block.norm.bias[:, None]
    return x + scaled.unflatten(2, size)


@pytest.mark.parametrize("shape", [(2, 8, 3, 2, 3), (1, 4, 1, 3, 2), (2, 3, 2, 1, 1)])
def test_the_space_time_block(shape):
    block = randomised(SpaceTimeBlock(shape[1])).train()
    x = numbers(*shape)
    fast, slow = block(x), slow_block(block, x)
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-12)
    direction = numbers(*shape, seed=2).detach()
    leaves = [x, *block.parameters()]
    gradients = [torch.autograd.grad((value * direction).sum(), leaves) for value in (fast, slow)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


def test_a_new_block_is_the_identity_and_learns():
    block = SpaceTimeBlock(8)
    x = torch.randn(2, 8, 3, 4, 2)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.norm.weight.grad.abs().max() > 0
    assert block.query.weight.shape == (2, 8, 1, 1, 1)
    assert block.query.weight.abs().max() > 0 and not block.query.bias.any()


def test_the_block_sees_all_frames_of_its_own_tracklet_only():
    block = randomised(SpaceTimeBlock(4)).eval()
    x = numbers(2, 4, 3, 2, 2)
    gradient = torch.autograd.grad(block(x)[0, :, 0, 0, 0].sum(), x)[0]
    assert (gradient[0].abs().amax(0) > 0).all()
    assert not gradient[1].any()


def slow_masks(attention: MultiViewAttention, maps: Tensor, view: str) -> Tensor:
    """Return (n, s, heads, h, w) as published: a 1x1 convolution on the pictures that a view cuts a tracklet into."""
    # From (n, s, c, h, w) to pictures (n, cut, c, rows, columns), and back.
    cut, back = {
        "hw": ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4)),
        "tw": ((0, 3, 2, 1, 4), (0, 3, 2, 1, 4)),
        "th": ((0, 4, 2, 1, 3), (0, 3, 2, 4, 1)),
    }[view]
    pictures = maps.permute(cut)
    masks = torch.sigmoid(attention.get_submodule(view)(pictures.flatten(0, 1))).unflatten(0, pictures.shape[:2])
    return masks.permute(back)


def test_every_views_masks_are_those_of_its_cut():
    attention = randomised(MultiViewAttention(5))
    maps = numbers(2, 3, 5, 4, 2)
    masks = attention(maps)
    assert masks.shape == (2, 3, 3, 2, 4, 2)
    for number, view in enumerate(("hw", "tw", "th")):
        torch.testing.assert_close(masks[:, :, number], slow_masks(attention, maps, view))


def test_attention_starts_without_bias():
    attention = MultiViewAttention(5, heads=3)
    assert not any(attention.get_submodule(view).bias.any() for view in ("hw", "tw", "th"))
    assert attention(torch.zeros(1, 1, 5, 2, 2)).unique() == 0.5


def test_pooling_is_the_generalised_mean_of_masked_maps():
    maps, masks = numbers(3, 4, 2, 5).abs().detach().requires_grad_(), numbers(3, 6, 2, 5, seed=1).sigmoid()
    slow = torch.stack(
        [
            torch.stack([((mask * frame) ** 3).mean(dim=(1, 2)).add(1e-12) ** (1 / 3) for mask in own])
            for frame, own in zip(maps, masks, strict=True)
        ]
    )
    fast = masked_gem(maps, masks)
    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(*(torch.autograd.grad(x.sum(), maps, retain_graph=True)[0] for x in (fast, slow)))


def test_pooling_by_hand_and_of_nothing():
    maps = torch.tensor([[[[1.0, 2.0]], [[0.0, 0.0]]]], requires_grad=True)
    masks = torch.tensor([[[[1.0, 0.5]]]])
    pooled = masked_gem(maps, masks)
    assert pooled[0, 0].tolist() == pytest.approx([1.0, 1e-4])
    pooled.sum().backward()
    assert maps.grad.isfinite().all() and not maps.grad[0, 1].any()


def test_pooling_stays_in_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        pooled = masked_gem(torch.full((1, 2, 2, 2), 300.0).bfloat16(), torch.ones(1, 6, 2, 2).bfloat16())
    assert pooled.dtype is torch.float32
    torch.testing.assert_close(pooled, torch.full((1, 6, 2), 300.0))
