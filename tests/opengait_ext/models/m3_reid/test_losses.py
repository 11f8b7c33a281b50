"""MMA, OFR and DAC against their formulas, written out pair by pair, and at their limits."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from opengait_ext.models.m3_reid.losses import (
    AttentionDiversityLoss,
    FrameDiversityLoss,
    ModalityAlignmentLoss,
    mean_squared_cosine,
)

VISIBLE, INFRARED = 0, 1


def cosine(x: Tensor, y: Tensor) -> Tensor:
    return (x * y).sum() / (x.square().sum().sqrt() * y.square().sum().sqrt())


def mean(values: list[Tensor]) -> Tensor:
    return sum(values[1:], values[0]) / len(values)


def slow_alignment(vectors: Tensor, labels: list[int], modality: list[int]) -> Tensor:
    losses = []
    for kind in (VISIBLE, INFRARED):
        terms = []
        for query in [index for index, own in enumerate(modality) if own == kind]:
            near, far = [], []
            for other in [index for index, own in enumerate(modality) if own != kind]:
                distance = (1 - cosine(vectors[query], vectors[other])) / 2
                (near if labels[query] == labels[other] else far).append(distance)
            if near and far:
                terms.append((1 + (mean(near) - mean(far)).exp()).log())
        if terms:
            losses.append(mean(terms))
    return mean(losses) if losses else vectors.sum() * 0


def slow_cosines(sets: list[list[Tensor]]) -> Tensor:
    squares = [cosine(one[i], one[j]) ** 2 for one in sets for i, j in product(range(len(one)), repeat=2) if i != j]
    return mean(squares)


def of(loss, *arguments: Tensor) -> Tensor:
    """Return the loss's value; every loss takes its arguments by name, as the engine passes them."""
    names = {ModalityAlignmentLoss: ("embeddings", "labels", "modality"), FrameDiversityLoss: ("embeddings",)}
    return loss()(**dict(zip(names.get(loss, ("masks",)), arguments, strict=True)))[0]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def agree(fast: Tensor, slow: Tensor, leaf: Tensor) -> None:
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(
        *(torch.autograd.grad(value, leaf, retain_graph=True)[0] for value in (fast, slow)), rtol=1e-9, atol=1e-12
    )


BATCHES = {
    "both_modalities": ([0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 1, 1, 0]),
    "a_person_of_one_modality": ([0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 0, 1, 1, 1, 1]),
    "one_tracklet_of_a_person": ([0, 0, 1, 1, 2], [0, 1, 0, 1, 0]),
    "only_matches_one_way": ([0, 0, 1], [0, 1, 0]),
}


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("name", BATCHES)
def test_alignment(name, frames):
    labels, modality = BATCHES[name]
    x = numbers(len(labels), 5, frames)
    expanded = [[value for value in values for _ in range(frames)] for values in (labels, modality)]
    slow = slow_alignment(x.transpose(1, 2).reshape(-1, 5), *expanded)
    agree(of(ModalityAlignmentLoss, x, torch.tensor(labels), torch.tensor(modality)), slow, x)


def test_alignment_by_hand():
    """One person seen by day and night at 60 degrees, another by night only at 180."""
    x = torch.tensor([[1, 0], [0.5, math.sqrt(0.75)], [-1, 0]], dtype=torch.float64)[..., None]
    value = of(ModalityAlignmentLoss, x, torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
    # The visible query has p = 1/4 and n = 1. Of the infrared ones, the first has a match only, the second has none.
    assert float(value) == pytest.approx(math.log(1 + math.exp(-0.75)))


@pytest.mark.parametrize(
    ("labels", "modality"),
    [([0, 0, 1, 1], [0, 0, 0, 0]), ([0, 0, 0, 0], [0, 1, 0, 1]), ([0, 1, 2, 3], [0, 1, 0, 1]), ([0], [1])],
    ids=["one_modality", "one_person", "no_match", "one_tracklet"],
)
def test_alignment_without_a_valid_query_is_zero(labels, modality):
    x = numbers(len(labels), 4, 2)
    loss = of(ModalityAlignmentLoss, x, torch.tensor(labels), torch.tensor(modality))
    assert loss == 0
    assert torch.autograd.grad(loss, x)[0].abs().max() == 0


def test_the_order_and_the_scale_of_a_batch_do_not_matter():
    labels, modality = map(torch.tensor, BATCHES["both_modalities"])
    x, order = numbers(8, 5, 3), torch.tensor([3, 1, 7, 0, 5, 2, 6, 4])
    for scaled in (x[order], x * torch.arange(1, 9)[:, None, None]):
        rows = order if scaled.shape == x.shape and torch.equal(scaled, x[order]) else torch.arange(8)
        torch.testing.assert_close(
            of(ModalityAlignmentLoss, scaled, labels[rows], modality[rows]),
            of(ModalityAlignmentLoss, x, labels, modality),
        )
    torch.testing.assert_close(of(FrameDiversityLoss, x[order]), of(FrameDiversityLoss, x))


@pytest.mark.parametrize("frames", [2, 3, 6])
def test_diversity_of_frames(frames):
    x = numbers(4, 5, frames)
    slow = slow_cosines([[tracklet[:, frame] for frame in range(frames)] for tracklet in x])
    agree(of(FrameDiversityLoss, x), slow, x)


@pytest.mark.parametrize("shape", [(2, 3, 3, 2, 5, 3), (1, 1, 3, 3, 2, 2), (3, 2, 3, 2, 1, 4)])
def test_diversity_of_attention(shape):
    tracklets, frames, _, heads, height, width = shape
    x = numbers(*shape)
    views = (
        [[x[n, t, 0, m].flatten() for m in range(heads)] for n in range(tracklets) for t in range(frames)],
        [[x[n, :, 1, m, h].flatten() for m in range(heads)] for n in range(tracklets) for h in range(height)],
        [[x[n, :, 2, m, :, w].flatten() for m in range(heads)] for n in range(tracklets) for w in range(width)],
    )
    agree(of(AttentionDiversityLoss, x), sum(slow_cosines(view) for view in views), x)


def test_equal_and_orthogonal_vectors():
    assert mean_squared_cosine(torch.ones(2, 3, 4)) == pytest.approx(1)
    assert mean_squared_cosine(torch.eye(4)[None]) == 0


def test_a_single_frame_or_head_has_no_loss():
    for loss, x in ((FrameDiversityLoss, numbers(2, 5, 1)), (AttentionDiversityLoss, numbers(2, 3, 3, 1, 4, 2))):
        value = of(loss, x)
        assert value == 0
        assert torch.autograd.grad(value, x)[0].abs().max() == 0


def test_half_precision_is_computed_in_float32():
    labels, modality = map(torch.tensor, BATCHES["both_modalities"])
    x = numbers(8, 5, 3).detach()
    values = [of(ModalityAlignmentLoss, x.to(dtype), labels, modality) for dtype in (torch.bfloat16, torch.float64)]
    assert values[0].dtype is torch.float32
    assert float(values[0]) == pytest.approx(float(values[1]), rel=0.02)
