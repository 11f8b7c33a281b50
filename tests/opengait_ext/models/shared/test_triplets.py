"""Triplet losses with one positive and one negative distance per anchor, against loops over their formulas."""

import math

import pytest
import torch

from opengait.errors import ConfigError
from opengait_ext.models.shared.triplets import BatchHardTripletLoss, WeightedTripletLoss

LABELS = [3, 0, 3, 5, 0, 3, 5, 9]  # 9 has one row


def embeddings(scale: float = 1.0, parts: int = 2, rows: int = len(LABELS)) -> torch.Tensor:
    values = torch.randn(rows, 4, parts, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (scale * values).requires_grad_()


def distance(x: torch.Tensor, y: torch.Tensor) -> float:
    return math.sqrt(max(float((x - y).square().sum()), 1e-12))


def anchors(x: torch.Tensor, labels: list[int]):
    """Yield each anchor's distances to its positives, itself included, and to its negatives."""
    for i, label in enumerate(labels):
        rows = [(distance(x[i], x[j]), other) for j, other in enumerate(labels)]
        yield [d for d, other in rows if other == label], [d for d, other in rows if other != label]


def hard(x: torch.Tensor, labels: list[int], margin: float) -> float:
    gaps = [max(positive) - min(negative) for positive, negative in anchors(x, labels)]
    losses = [max(gap + margin, 0) if margin else math.log(1 + math.exp(gap)) for gap in gaps]
    return sum(losses) / len(losses)


def weighted_pair(positive: list[float], negative: list[float], form: str) -> tuple[float, float]:
    """Return a and b of the fact sheet's formulas; `exact` is a softmax over the entries alone."""
    extra = 1e-6 if form == "release" else 0.0
    far = [math.exp(d - max(positive)) for d in positive]
    shift = 0.0 if form == "release" else min(negative)
    near = [math.exp(shift - d) for d in negative]
    a = sum(w * d for w, d in zip(far, positive, strict=True)) / (sum(far) + extra)
    b = sum(w * d for w, d in zip(near, negative, strict=True)) / (sum(near) + extra)
    return a, b


def weighted(x: torch.Tensor, labels: list[int], form: str) -> float:
    pairs = [weighted_pair(positive, negative, form) for positive, negative in anchors(x, labels)]
    return sum(math.log(1 + math.exp(-(b - a))) for a, b in pairs) / len(pairs)


LOSSES = {
    "hard": (BatchHardTripletLoss(0.3), lambda x, labels: hard(x, labels, 0.3)),
    "soft": (BatchHardTripletLoss(0), lambda x, labels: hard(x, labels, 0)),
    "exact": (WeightedTripletLoss(), lambda x, labels: weighted(x, labels, "exact")),
    "release": (WeightedTripletLoss("release"), lambda x, labels: weighted(x, labels, "release")),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


@every_loss
@pytest.mark.parametrize("scale", [0.3, 1.0, 12.0])
def test_a_loss_is_its_formula_for_each_part(name, scale):
    loss, reference = LOSSES[name]
    x = embeddings(scale)
    value, info = loss(embeddings=x, labels=torch.tensor(LABELS))
    expected = [reference(x[:, :, part].detach(), LABELS) for part in range(2)]
    assert value.tolist() == pytest.approx(expected, rel=1e-9)
    assert info["loss"].tolist() == value.tolist() and not info["loss"].requires_grad


@every_loss
@pytest.mark.parametrize("labels", [LABELS, [1, 2, 3], [7, 7, 7]], ids=["several", "one_row_each", "one_identity"])
def test_gradients_are_those_of_finite_differences(name, labels):
    x = embeddings(1.0, 1, len(labels))
    targets = torch.tensor(labels)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name][0](embeddings=x, labels=targets)[0], (x,))


@every_loss
def test_the_order_of_the_batch_does_not_matter(name):
    loss, _ = LOSSES[name]
    x, labels = embeddings(), torch.tensor(LABELS)
    value, _ = loss(embeddings=x, labels=labels)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    order = torch.tensor([5, 2, 7, 0, 1, 3, 6, 4])
    shuffled, _ = loss(embeddings=x[order], labels=labels[order])
    assert torch.allclose(shuffled, value)
    assert torch.allclose(torch.autograd.grad(shuffled.sum(), x)[0], gradient)


@every_loss
def test_equal_rows_have_a_finite_gradient(name):
    x = torch.ones(4, 3, 1, requires_grad=True)
    value, _ = LOSSES[name][0](embeddings=x, labels=torch.tensor([0, 0, 1, 1]))
    value.sum().backward()
    assert value.isfinite().all() and x.grad.isfinite().all()


@pytest.mark.parametrize("name", ["hard", "soft", "exact"])
def test_a_batch_of_one_identity_has_no_loss_and_no_gradient(name):
    x = embeddings()
    value, info = LOSSES[name][0](embeddings=x, labels=torch.zeros(len(x), dtype=torch.long))
    value.sum().backward()
    assert value.tolist() == [0, 0] and not x.grad.any()
    assert all(values.isfinite().all() for values in info.values())


def test_a_hand_computed_case():
    # On a line, 0 and 3 of one identity, 5 of another.
    x = torch.tensor([0.0, 3.0, 5.0]).view(3, 1, 1)
    labels = torch.tensor([0, 0, 1])
    # Farthest positives 3, 3, 0; closest negatives 5, 2, 2.
    value, info = BatchHardTripletLoss(0.5)(embeddings=x, labels=labels)
    assert value.item() == pytest.approx((0 + 1.5 + 0) / 3)
    assert (info["positive"].item(), info["negative"].item()) == pytest.approx((2, 3))
    assert info["loss_num"].item() == 1
    far = 3 * math.exp(3) / (math.exp(3) + 1)
    near = (5 * math.exp(-5) + 2 * math.exp(-2)) / (math.exp(-5) + math.exp(-2))
    value, _ = WeightedTripletLoss()(embeddings=x, labels=labels)
    expected = [far - 5, far - 2, 0 - near]
    assert value.item() == pytest.approx(sum(math.log(1 + math.exp(gap)) for gap in expected) / 3, rel=1e-5)


def test_the_release_takes_far_negatives_for_close_ones():
    x = torch.tensor([0.0, 0.0, 30.0, 30.0]).view(4, 1, 1)
    labels = torch.tensor([0, 0, 1, 1])
    exact, release = (WeightedTripletLoss(form)(embeddings=x, labels=labels) for form in ("exact", "release"))
    assert exact[1]["negative"].item() == pytest.approx(30) and exact[0].item() < 1e-12
    assert release[1]["negative"].item() < 1e-5 and release[0].item() == pytest.approx(math.log(2), rel=1e-4)


def test_positives_much_closer_than_negatives_stay_finite():
    """Beyond 88, exp of a negative's distance minus the farthest positive's would overflow before it is masked."""
    x = torch.tensor([0.0, 1.0, 200.0, 201.0]).view(4, 1, 1).requires_grad_()
    for form in ("exact", "release"):
        value, _ = WeightedTripletLoss(form)(embeddings=x, labels=torch.tensor([0, 0, 1, 1]))
        (gradient,) = torch.autograd.grad(value.sum(), x)
        assert value.isfinite().all() and gradient.isfinite().all()


@every_loss
def test_half_precision_is_computed_in_float32(name):
    x = embeddings(20.0).detach().half()
    value, _ = LOSSES[name][0](embeddings=x, labels=torch.tensor(LABELS))
    assert value.dtype == torch.float32
    assert value.tolist() == pytest.approx([LOSSES[name][1](x[:, :, part].double(), LABELS) for part in (0, 1)], 1e-3)


def test_invalid_arguments_are_named():
    with pytest.raises(ConfigError, match=r"WeightedTripletLoss\.form: .* 'softmax'"):
        WeightedTripletLoss("softmax")
    for loss in (BatchHardTripletLoss(), WeightedTripletLoss()):
        with pytest.raises(ValueError, match=rf"{type(loss).__name__} .*\[4, 3\] and \[5\]"):
            loss(embeddings=torch.zeros(4, 3), labels=torch.zeros(5))
