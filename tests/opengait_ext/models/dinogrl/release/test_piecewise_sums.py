"""Sums of rectified lines over keys: the sorted form against the full matrix of lines and keys."""

import pytest
import torch

from opengait_ext.models.dinogrl.release.piecewise_sums import SortedKeys, direct_sums, rectified_sums


def matrix_sums(slope, offset, keys):
    """Compute the definition, (2, ..., C') twice, from the matrix f_ij = u_i k_j + v_i."""
    lines = slope.unsqueeze(-1) * keys.unsqueeze(-2) + offset.unsqueeze(-1)
    rectified = torch.stack([lines.relu(), (-lines).relu()])
    return (rectified * keys.unsqueeze(-2)).sum(-1), rectified.sum(-1)


def sorted_sums(slope, offset, keys):
    return rectified_sums(slope, offset, SortedKeys.of(keys))


def random_case(*shape, lines=None):
    torch.manual_seed(3)
    keys = torch.randn(*shape, dtype=torch.float64)
    slope, offset = torch.randn(2, *shape[:-1], lines or shape[-1], dtype=torch.float64)
    return slope, offset, keys


def outcome(function, case):
    """Return the sums, and the gradients of a loss that weights every sum differently."""
    case = [tensor.clone().requires_grad_() for tensor in case]
    sums = function(*case)
    generator = torch.Generator().manual_seed(7)
    loss = sum((s * torch.randn(s.shape, generator=generator, dtype=s.dtype)).sum() for s in sums)
    return [*sums, *torch.autograd.grad(loss, case)]


def assert_equals_matrix(case):
    for output, expected in zip(outcome(sorted_sums, case), outcome(matrix_sums, case), strict=True):
        torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)


def test_by_hand():
    slope, offset, keys = (
        torch.tensor(row, dtype=torch.float64) for row in ([2.0, -1.0], [-2.0, 4.0], [3.0, 0.0, 5.0])
    )
    by_key, plain = sorted_sums(slope, offset, keys)
    # Lines at the keys 3, 0, 5: [4, -2, 8] and [1, 4, -1].
    assert plain.tolist() == [[12.0, 5.0], [2.0, 1.0]]
    assert by_key.tolist() == [[52.0, 3.0], [0.0, 5.0]]


@pytest.mark.parametrize("shape", [(1,), (2,), (17,), (3, 8), (2, 3, 2, 11)])
def test_random_lines(shape):
    assert_equals_matrix(random_case(*shape))


def test_more_lines_than_keys():
    assert_equals_matrix(random_case(2, 5, lines=9))


def test_equal_keys():
    slope, offset, keys = random_case(2, 12)
    assert_equals_matrix((slope, offset, keys.round()))


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_lines_without_slope(zero):
    slope, offset, keys = random_case(2, 9)
    slope[:, ::2] = zero
    assert (offset[:, ::2] > 0).any()
    assert (offset[:, ::2] < 0).any()
    assert_equals_matrix((slope, offset, keys))


def test_roots_have_the_derivative_of_relu():
    keys = torch.tensor([[-2.0, -1.0, 0.0, 0.0, 1.0, 3.0]], dtype=torch.float64)
    slope = torch.tensor([[1.0, -1.0, 2.0, -4.0, 0.0, -0.0, 0.5, 0.0]], dtype=torch.float64)
    offset = torch.tensor([[0.0, -0.0, -2.0, 4.0, 0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    lines = slope.unsqueeze(-1) * keys.unsqueeze(-2) + offset.unsqueeze(-1)
    assert (lines == 0).sum() > 15
    assert_equals_matrix((slope, offset, keys))


def test_roots_outside_all_keys():
    slope, offset, keys = random_case(2, 6)
    assert_equals_matrix((1e-3 * slope, offset, keys))


def test_gradcheck():
    case = [tensor.requires_grad_() for tensor in random_case(2, 7)]
    assert torch.autograd.gradcheck(sorted_sums, case)


@pytest.mark.slow
def test_gradients_of_the_slope_alone():
    slope, offset, keys = random_case(5)
    slope.requires_grad_()
    sum(s.sum() for s in sorted_sums(slope, offset, keys)).backward()
    assert slope.grad is not None


def test_float32_keys_far_from_zero_are_accurate():
    slope, _, keys = random_case(256)
    keys = (keys + 1000).float()
    offset = -slope * 1000.5
    expected = matrix_sums(slope, offset, keys.double())
    for output, reference in zip(sorted_sums(slope, offset, keys), expected, strict=True):
        assert output.dtype == torch.float64
        torch.testing.assert_close(output, reference, rtol=1e-9, atol=1e-9)


def test_split_gives_the_same_sums():
    slope, offset, keys = random_case(2, 5, 8)
    whole = rectified_sums(slope, offset, SortedKeys.of(keys))
    pieces = SortedKeys.of(keys).split([2, 3])
    lines = zip(slope.split([2, 3], dim=1), offset.split([2, 3], dim=1), pieces, strict=True)
    parts = [rectified_sums(u, v, piece) for u, v, piece in lines]
    for sums, cut in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(torch.cat(cut, dim=2), sums)


def test_the_exported_form_equals_the_sorted_one(monkeypatch):
    case = random_case(3, 2, 7, lines=5)
    for direct, expected in zip(direct_sums(*case), sorted_sums(*case), strict=True):
        torch.testing.assert_close(direct, expected, rtol=1e-12, atol=1e-12)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    monkeypatch.setattr(torch, "searchsorted", None)  # which ONNX lacks
    assert len(sorted_sums(*case)) == 2
