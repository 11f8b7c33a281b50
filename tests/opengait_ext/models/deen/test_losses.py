"""DEEN's losses against their formulas, centre by centre, and their limits."""

import math

import pytest
import torch
from torch import Tensor

from opengait.modeling.losses import CrossEntropyLoss
from opengait_ext.models.deen.losses import CentreGuidedPairMiningLoss, OrthogonalityLoss, pair_mining_loss
from opengait_ext.models.deen.model import loss_terms
from opengait_ext.models.deen.network import DEENOutput
from opengait_ext.models.shared.triplets import BatchHardTripletLoss

MARGIN = 0.2


def features(n: int, seed: int = 0, channels: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, 3, generator=generator, dtype=torch.float64)


def distance(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().sum().sqrt()


def written_out(x: Tensor, pieces: int) -> Tensor:
    """Return L_cpm as the code has it: all visible images, then all infrared ones, each cut into equal pieces."""
    total = torch.zeros((), dtype=x.dtype)
    for version in (1, 2):
        sides = [[piece.mean(0) for piece in half.chunk(pieces)] for f in (0, version) for half in x[:, :, f].chunk(2)]
        visible, infrared, new_visible, new_infrared = sides
        a = mined(infrared, visible, new_visible)
        b = mined(visible, infrared, new_infrared)
        total = total + (a + b) / 2
    return total


def mined(other: list[Tensor], original: list[Tensor], new: list[Tensor]) -> Tensor:
    count = len(other)
    sums = [torch.zeros((), dtype=other[0].dtype) for _ in range(3)]
    for i in range(count):
        pair = distance(other[i], new[i])
        bounds = [distance(original[i], new[i]).detach()]
        for centres in (new, original):
            bounds.append(min(distance(centres[i], centres[j]) for j in range(count) if j != i))
        for number, bound in enumerate(bounds):
            sums[number] = sums[number] + (pair - bound + MARGIN).clamp(min=0) / count
    return sums[0] + (sums[1] + sums[2]) / 2


@pytest.mark.parametrize(("people", "images", "scale"), [(2, 1, 1.0), (6, 4, 1.0), (3, 2, 0.1), (4, 3, 5.0)])
def test_pair_mining_is_that_of_the_code_on_its_order(people, images, scale):
    """And on any other order, since labels and modalities tell where an image belongs."""
    n = 2 * people * images
    x, y = (features(n).mul(scale).requires_grad_() for _ in range(2))
    labels = torch.arange(people).repeat_interleave(images).repeat(2)
    modality = torch.arange(2).repeat_interleave(n // 2)
    expected = written_out(y, people)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    loss, info = CentreGuidedPairMiningLoss()(
        embeddings=x[order], labels=labels[order] * 7 + 3, modality=modality[order]
    )
    torch.testing.assert_close(loss, expected)
    assert info["loss"].item() == loss.item() > 0
    (ours,), (theirs,) = torch.autograd.grad(loss, [x]), torch.autograd.grad(expected, [y])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)
    assert ours[:, :, 1].any() and ours[:, :, 2].any()


def test_pair_mining_by_hand():
    """On a line: V = 0, 10; I = 1, 11; V' = 3, 13; I' = 0, 10."""
    line = {0: (0.0, 1.0, 3.0, 0.0), 1: (10.0, 11.0, 13.0, 10.0)}
    rows = [(v, vn) if m == 0 else (i, in_) for v, i, vn, in_ in line.values() for m in range(2)]
    x = torch.tensor([[[original, new, 0.0]] for original, new in rows])
    labels, modality = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    # a: d(I, V') = 2, d(V, V') = 3, so no hinge; the nearest centres are 10 away. b: d(V, I') = 0, d(I, I') = 1.
    assert pair_mining_loss(x[:, :, 0], x[:, :, 1], labels, modality, 0.2).item() == 0
    # With a margin of 9: a = [2 - 3 + 9] + 1/2 (1 + 1) = 9; b = [0 - 1 + 9] + 1/2 (0 + 0) = 8.
    assert pair_mining_loss(x[:, :, 0], x[:, :, 1], labels, modality, 9.0).item() == pytest.approx(8.5, abs=1e-5)


def test_limits_of_pair_mining():
    x = features(6).requires_grad_()
    loss = CentreGuidedPairMiningLoss()
    # Nobody has both modalities.
    value, _ = loss(embeddings=x, labels=torch.arange(6) // 2, modality=torch.tensor([0, 0, 1, 1, 0, 0]))
    value.backward()
    assert value.item() == 0 and not x.grad.any()
    # A single person has no nearest centre of others, so only the first hinge of a and b is left.
    x.grad = None
    one, _ = loss(embeddings=x, labels=torch.zeros(6, dtype=torch.long), modality=torch.tensor([0, 1] * 3))
    one.backward()
    centres = {(m, v): x.detach()[m::2, :, v].mean(0) for m in range(2) for v in range(3)}
    expected = sum(
        max(0.0, float(distance(centres[1 - m, 0], centres[m, v]) - distance(centres[m, 0], centres[m, v])) + MARGIN)
        for v in (1, 2)
        for m in range(2)
    )
    assert one.item() == pytest.approx(expected / 2) and x.grad.isfinite().all() and x.grad.any()
    # People seen in one modality change nothing, also not as somebody's nearest.
    labels, modality = torch.tensor([0, 0, 1, 1, 2, 3]), torch.tensor([0, 1, 0, 1, 0, 1])
    whole, _ = loss(embeddings=x, labels=labels, modality=modality)
    four, _ = loss(embeddings=x[:4], labels=labels[:4], modality=modality[:4])
    torch.testing.assert_close(whole, four)
    # Equal centres have a distance of 0, whose root has no gradient.
    same = torch.ones(4, 3, 3, requires_grad=True)
    value, _ = loss(embeddings=same, labels=labels[:4], modality=modality[:4])
    value.backward()
    assert value.item() == pytest.approx(2 * 2 * MARGIN, abs=1e-4) and same.grad.isfinite().all()


def test_half_precision_is_computed_in_float32():
    x = (100 * features(8)).half()
    labels, modality = torch.arange(8) // 2, torch.arange(8) % 2
    terms = {"labels": labels, "modality": modality}
    value, _ = CentreGuidedPairMiningLoss()(embeddings=x, **terms)
    expected, _ = CentreGuidedPairMiningLoss()(embeddings=x.double(), **terms)
    assert value.dtype is torch.float32 and value.item() == pytest.approx(expected.item(), rel=1e-4)
    assert OrthogonalityLoss()(300 * x)[0].isfinite()


def test_orthogonality_is_the_published_sum():
    x = features(5).requires_grad_()
    loss, info = OrthogonalityLoss()(x)
    values = x.detach()
    total = sum(float(values[i, c, 1] * values[i, c, 2]) for i in range(5) for c in range(4))
    assert loss.item() == pytest.approx(total / 15) == info["loss"].item()
    (gradient,) = torch.autograd.grad(loss, [x])
    assert not gradient[:, :, 0].any()
    torch.testing.assert_close(gradient[:, :, 1], x[:, :, 2].detach() / 15)


def test_identity_and_triplet_see_all_versions():
    x, logits = features(4), torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    labels, modality = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    terms = loss_terms(DEENOutput(x, logits, x), labels, modality)
    cross_entropy, _ = CrossEntropyLoss(scale=1, label_smooth=False)(**terms["identity"])
    expected = [math.log(sum(math.exp(v) for v in row)) - row[k] for row, k in every(logits, labels)]
    assert cross_entropy.item() == pytest.approx(sum(expected) / 12)
    triplet, _ = BatchHardTripletLoss(0.3)(**terms["triplet"])
    rows = [(torch.tensor(row), k) for row, k in every(x, labels)]
    hinges = []
    for anchor, label in rows:
        far = max(float((anchor - row).norm()) for row, k in rows if k == label)
        near = min(float((anchor - row).norm()) for row, k in rows if k != label)
        hinges.append(max(0.0, far - near + 0.3))
    assert triplet.item() == pytest.approx(sum(hinges) / 12, rel=1e-5)


def every(values: Tensor, labels: Tensor) -> list[tuple[list[float], int]]:
    """Return the vectors of all versions of values (n, c, 3), with their identities."""
    return [(values[i, :, v].tolist(), int(labels[i])) for v in range(3) for i in range(len(values))]
