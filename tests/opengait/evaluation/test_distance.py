"""Distances against upstream's values and plain loops."""

import json

import numpy as np
import pytest
import torch

from opengait.errors import ConfigError, DataError
from opengait.evaluation import cuda_dist, distance, mean_iou
from tests.golden import seeded
from tests.paths import GOLDEN_DIR

GOLDEN = json.loads((GOLDEN_DIR / "opengait/evaluators.json").read_text())


def pair() -> tuple[np.ndarray, np.ndarray]:
    return seeded.gallery("dist_x", 5 * [("a", "", "")]), seeded.gallery("dist_y", 7 * [("b", "", "")])


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_distances_equal_upstream(metric):
    distances = cuda_dist(*pair(), metric)
    assert distances.dtype == torch.float32
    np.testing.assert_allclose(distances.cpu().numpy(), GOLDEN["runs"]["distance"][metric], atol=2e-6)


@pytest.mark.parametrize("metric", ["euc", "cos", "dot"])
def test_distances_equal_a_loop_over_parts(metric):
    x, y = (torch.from_numpy(values.astype(np.float64)) for values in pair())
    distances = cuda_dist(x, y, metric)
    for i in range(len(x)):
        for j in range(len(y)):
            parts = []
            for part in range(x.shape[2]):
                a, b = x[i, :, part], y[j, :, part]
                cosine = a @ b / (a.norm() * b.norm())
                parts.append({"euc": (a - b).norm(), "cos": 1 - cosine, "dot": -(a @ b)}[metric])
            assert distances[i, j].item() == pytest.approx(np.mean(parts), abs=1e-12)


@pytest.mark.parametrize("metric", ["euc", "cos", "dot"])
def test_block_size_does_not_change_distances(metric, monkeypatch):
    whole = cuda_dist(*pair(), metric)
    monkeypatch.setattr(distance, "_BLOCK", 11)
    torch.testing.assert_close(cuda_dist(*pair(), metric), whole, atol=1e-6, rtol=0)


def test_half_precision_is_computed_in_float32():
    x = torch.full((1, 4, 1), 300.0, dtype=torch.float16)
    y = torch.full((1, 4, 1), 299.0, dtype=torch.float16)
    assert cuda_dist(x, y).item() == pytest.approx(2.0, abs=1e-6)


def test_distance_to_itself_is_near_zero_and_not_nan():
    x = torch.randn(50, 16, 3, generator=torch.Generator().manual_seed(0)) * 100
    distances = cuda_dist(x, x)
    assert not distances.isnan().any() and distances.diagonal().max() < 0.5


def test_rejects_descriptors_that_cannot_be_compared():
    x, y = pair()
    with pytest.raises(ConfigError, match="metric: .* got 'l2'"):
        cuda_dist(x, y, "l2")
    with pytest.raises(DataError, match=r"\(8, 4\) and \(8, 3\)"):
        cuda_dist(x, y[..., :3])
    with pytest.raises(DataError, match=r"got \(5, 8\)"):
        cuda_dist(x[..., 0], y)


def test_overlap_computed_by_hand():
    mask = torch.tensor([[[[1.0, 1, 0, 0]]], [[[0.0, 0, 0, 0]]], [[[1.0, 1, 1, 1]]]])
    other = torch.tensor([[[[0.0, 1, 1, 0]]], [[[0.0, 0, 0, 0]]], [[[1.0, 1, 1, 1]]]])
    torch.testing.assert_close(mean_iou(mask, other), torch.tensor([1 / 3, 0.0, 1.0]))
    torch.testing.assert_close(mean_iou(mask.bool(), other.bool()), torch.tensor([1 / 3, 0.0, 1.0]))


def test_overlap_of_empty_masks():
    masks = torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    overlap = mean_iou(masks, torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64), empty=1.0)
    assert overlap.dtype == torch.float64 and overlap.tolist() == [1.0, 0.5]


def test_products_are_not_re_ranked():
    for metric in ("euc", "cos"):
        distance.check_rerank(metric)
    with pytest.raises(ConfigError, match="rerank.*dot"):
        distance.check_rerank("dot")
