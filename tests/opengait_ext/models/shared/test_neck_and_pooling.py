"""AGW's pooling and neck, which its successors share."""

import pytest
import torch

from opengait.errors import ConfigError
from opengait_ext.models.shared.neck import BNNeck
from opengait_ext.models.shared.pooling import gem_pooling


def test_the_generalised_mean_is_its_formula():
    maps = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    expected = [[(sum(v**3 for v in plane.flatten().tolist()) / 20 + 1e-12) ** (1 / 3) for plane in m] for m in maps]
    assert torch.allclose(gem_pooling(maps), torch.tensor(expected, dtype=torch.float64))
    assert torch.allclose(gem_pooling(maps, 1.0), maps.mean((2, 3)))
    assert gem_pooling(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)).item() == pytest.approx(14 ** (1 / 3))


def test_the_generalised_mean_of_nothing_has_a_finite_gradient():
    maps = torch.zeros(1, 1, 2, 2, requires_grad=True)
    gem_pooling(maps).sum().backward()
    assert maps.grad.isfinite().all()
    assert torch.autograd.gradcheck(gem_pooling, (torch.rand(1, 2, 3, 2, dtype=torch.float64, requires_grad=True),))


def test_the_generalised_mean_does_not_overflow_in_half_precision():
    maps = torch.full((1, 1, 4, 4), 60.0, dtype=torch.float16)
    with torch.autocast("cpu", dtype=torch.float16):
        assert gem_pooling(maps).item() == pytest.approx(60, rel=1e-3)


def test_the_neck_is_a_norm_and_a_linear_classifier():
    torch.manual_seed(0)
    neck = BNNeck(64, 500)
    x = 3 * torch.randn(16, 64) + 1
    features, logits = neck(x)
    expected = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * neck.norm.weight
    assert torch.allclose(features, expected, atol=1e-5)
    assert torch.allclose(logits, features @ neck.classifier.weight.T)
    assert neck.eval()(x)[1] is None and BNNeck(64)(x)[1] is None


def test_the_necks_initial_values():
    torch.manual_seed(0)
    neck = BNNeck(2048, 500)
    trained = {name for name, parameter in neck.named_parameters() if parameter.requires_grad}
    assert trained == {"norm.weight", "classifier.weight"} and not neck.norm.bias.any()
    for weight, mean, deviation in ((neck.norm.weight, 1, 0.01), (neck.classifier.weight, 0, 0.001)):
        assert weight.mean().item() == pytest.approx(mean, abs=deviation / 10)
        assert weight.std().item() == pytest.approx(deviation, rel=0.1)


def test_one_tracklet_cannot_train_the_neck():
    neck = BNNeck(4, 2)
    with pytest.raises(ConfigError, match=r"sampler\.batch_size"):
        neck(torch.randn(1, 4))
    assert neck.eval()(torch.randn(1, 4))[0].shape == (1, 4)
