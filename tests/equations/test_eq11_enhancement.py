"""Eq. 11-16: PBMGE against the equations written out step by step."""

import pytest
import torch

from opengait.errors import ConfigError
from opengait_ext.models.dinogrl.enhancement import BidirectionalEnhancement, LocalToGlobalEnhancement

CHANNELS, GRANULARITIES = 7, (2, 4, 8, 16)


@pytest.fixture
def parts():
    torch.manual_seed(0)
    return [torch.randn(3, CHANNELS, 1 + sum(GRANULARITIES), dtype=torch.float64) for _ in range(2)]


def random_module(**form):
    torch.manual_seed(1)
    module = BidirectionalEnhancement(CHANNELS, GRANULARITIES, lge=form).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


@pytest.fixture
def module():
    return random_module()


def explicit_step(query, key, value, divide=True):
    """Compute Eq. 13-15 as written, with both signs of the attention map: (n, C) three times -> (n, C)."""
    affinity = query.unsqueeze(2) @ key.unsqueeze(1) / (query.shape[1] if divide else 1)
    positive, negative = affinity.relu(), (-affinity).relu()
    row = value.unsqueeze(1)
    return query + (row @ positive - row @ negative).squeeze(1)


def written_form(steps, feature, other, divide=True, unit_stripes=True):
    """Compute the equations with matrices, granularity by granularity and stripe by stripe."""
    enhanced, start = [], 1
    for step, count in zip(steps, GRANULARITIES, strict=True):
        query = feature @ step.query.weight[..., 0].T + step.query.bias
        for stripe in other[..., start : start + count].unbind(-1):
            if unit_stripes:
                stripe = stripe / stripe.square().mean(dim=1, keepdim=True).sqrt()
            key = stripe @ step.key.weight[..., 0].T + step.key.bias
            value = stripe @ step.value.weight[..., 0].T + step.value.bias
            query = explicit_step(query, key, value, divide)
        enhanced.append(query)
        start += count
    return torch.stack(enhanced, dim=-1)


def test_both_streams_equal_the_written_form(module, parts):
    appearance, gait = module(*parts)
    assert appearance.shape == gait.shape == (3, CHANNELS, 4)
    assert torch.allclose(appearance, written_form(module.appearance, parts[0][..., 0], parts[1]))
    assert torch.allclose(gait, written_form(module.gait, parts[1][..., 0], parts[0]))


@pytest.mark.parametrize("form", [{"divide": False}, {"unit_stripes": False}, {"divide": False, "unit_stripes": False}])
def test_the_literal_forms_equal_the_written_form(parts, form):
    module = random_module(**form)
    appearance, gait = module(*parts)
    assert torch.allclose(appearance, written_form(module.appearance, parts[0][..., 0], parts[1], **form))
    assert torch.allclose(gait, written_form(module.gait, parts[1][..., 0], parts[0], **form))


def test_explicit_step_by_hand():
    query, key, value = (torch.tensor([row]) for row in ([1.0, -2.0], [3.0, 4.0], [5.0, 6.0]))
    # Q^T K = [[3, 4], [-6, -8]], halved; V M+ = 5 * [1.5, 2]; V M- = 6 * [3, 4].
    expected = [1 + 7.5 - 18, -2 + 10 - 24]
    assert explicit_step(query, key, value)[0].tolist() == expected


def test_both_signs_of_the_attention_map_matter():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 5).unbind(0)
    affinity = query.unsqueeze(2) @ key.unsqueeze(1) / 5
    positive_only = query + (value.unsqueeze(1) @ affinity.relu()).squeeze(1)
    assert not torch.allclose(positive_only, explicit_step(query, key, value))


def test_the_order_of_stripes_matters(module, parts):
    first = module(*parts)[0][..., 3]
    swapped = parts[1].clone()
    swapped[..., [15, 16]] = parts[1][..., [16, 15]]
    assert not torch.allclose(module(parts[0], swapped)[0][..., 3], first)


def test_each_granularity_reads_only_its_own_stripes(module, parts):
    changed = parts[1].clone()
    changed[..., 3:7] += 1
    before, after = module(*parts)[0], module(parts[0], changed)[0]
    different = [not torch.allclose(before[..., g], after[..., g]) for g in range(4)]
    assert different == [False, True, False, False]


def test_the_scale_of_the_stripes_does_not_matter(module, parts):
    before, after = module(*parts)[0], module(parts[0], 50 * parts[1])[0]
    assert torch.allclose(before, after)


def test_each_granularity_and_stream_has_its_own_psi(module):
    assert len(list(module.parameters())) == 2 * 4 * 3 * 2


def test_psi_q_starts_as_the_identity():
    torch.manual_seed(0)
    step = LocalToGlobalEnhancement(CHANNELS)
    for layer in (step.key, step.value):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    feature = torch.randn(2, CHANNELS)
    assert torch.equal(step(feature, torch.randn(2, CHANNELS, 3)), feature)


def test_psi_q_may_start_as_any_convolution_does():
    torch.manual_seed(0)
    step = LocalToGlobalEnhancement(CHANNELS, identity_query=False)
    torch.manual_seed(0)
    assert torch.equal(step.query.weight, torch.nn.Conv1d(CHANNELS, CHANNELS, 1).weight)


def test_updates_may_start_at_zero(parts):
    torch.manual_seed(0)
    step = LocalToGlobalEnhancement(CHANNELS, divide=False, zero_value=True).double()
    stripes = parts[1][..., 1:4]
    assert torch.equal(step(parts[0][..., 0], stripes), parts[0][..., 0])
    step(parts[0][..., 0], stripes).square().sum().backward()
    assert step.value.weight.grad.any(), "psi^v learns"


def test_unknown_keys_of_lge_are_named_and_other_steps_do_not_read_it():
    with pytest.raises(ConfigError, match=r"model_cfg.lge has an unknown key 'divides'; did you mean divide"):
        random_module(divides=False)
    BidirectionalEnhancement(CHANNELS, step="non_local", lge={"divide": False})


@pytest.mark.slow
def test_gradients(module, parts):
    small = [part[:1].clone().requires_grad_() for part in parts]
    assert torch.autograd.gradcheck(lambda a, g: module(a, g), small)
