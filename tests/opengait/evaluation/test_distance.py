"""Distances against upstream's numbers and plain loops."""

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
def test_distances_equal_upstreams(metric):
    found = cuda_dist(*pair(), metric)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.cpu().numpy(), GOLDEN["runs"]["distance"][metric], atol=2e-6)


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_distances_equal_a_loop_over_parts(metric):
    x, y = (torch.from_numpy(values.astype(np.float64)) for values in pair())
    found = cuda_dist(x, y, metric)
    for i in range(len(x)):
        for j in range(len(y)):
            parts = []
            for part in range(x.shape[2]):
                a, b = x[i, :, part], y[j, :, part]
                parts.append((a - b).norm() if metric == "euc" else 1 - a @ b / (a.norm() * b.norm()))
            assert found[i, j].item() == pytest.approx(np.mean(parts), abs=1e-12)


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_blocks_change_nothing(metric, monkeypatch):
    whole = cuda_dist(*pair(), metric)
    monkeypatch.setattr(distance, "_BLOCK", 11)
    torch.testing.assert_close(cuda_dist(*pair(), metric), whole, atol=1e-6, rtol=0)


def test_half_precision_is_compared_in_single():
    x = torch.full((1, 4, 1), 300.0, dtype=torch.float16)
    y = torch.full((1, 4, 1), 299.0, dtype=torch.float16)
    assert cuda_dist(x, y).item() == pytest.approx(2.0, abs=1e-6)


def test_a_descriptor_is_at_no_distance_from_itself_and_never_nan():
    x = torch.randn(50, 16, 3, generator=torch.Generator().manual_seed(0)) * 100
    found = cuda_dist(x, x)
    assert not found.isnan().any() and found.diagonal().max() < 0.5


def test_what_cannot_be_compared_is_refused():
    x, y = pair()
    with pytest.raises(ConfigError, match="metric is 'l2'"):
        cuda_dist(x, y, "l2")
    with pytest.raises(DataError, match=r"\(8, 4\) and \(8, 3\)"):
        cuda_dist(x, y[..., :3])
    with pytest.raises(DataError, match=r"shape \(5, 8\)"):
        cuda_dist(x[..., 0], y)


def test_overlap_by_hand():
    mask = torch.tensor([[[[1.0, 1, 0, 0]]], [[[0.0, 0, 0, 0]]], [[[1.0, 1, 1, 1]]]])
    other = torch.tensor([[[[0.0, 1, 1, 0]]], [[[0.0, 0, 0, 0]]], [[[1.0, 1, 1, 1]]]])
    torch.testing.assert_close(mean_iou(mask, other), torch.tensor([1 / 3, 0.0, 1.0]))
