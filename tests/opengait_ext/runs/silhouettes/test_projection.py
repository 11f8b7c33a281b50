"""Projection of the enriched silhouette's channels to three colours."""

import numpy as np
import pytest
import torch

from opengait.errors import DataError
from opengait_ext.runs.silhouettes import Projection
from opengait_ext.runs.silhouettes.projection import weighted_quantile


def test_components_span_the_foreground():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(500, 3, generator=generator, dtype=torch.float64) * torch.tensor([5.0, 3.0, 1.0])
    maps = torch.zeros(1, 4, 20, 50, dtype=torch.float64)
    maps[0, [2, 0, 3], :10] = scores.T.reshape(3, 10, 50)
    maps[0, 1] = 7
    maps[0, 1, 10:] = -1000  # background of weight zero
    mask = torch.zeros(1, 1, 20, 50)
    mask[:, :, :10] = 0.7
    projection = Projection.fit(maps, mask)
    expected_mean = torch.zeros(4, dtype=torch.float64)
    expected_mean[[2, 0, 3]] = scores.mean(dim=0)
    expected_mean[1] = 7
    np.testing.assert_allclose(projection.mean, expected_mean, atol=1e-4)
    np.testing.assert_allclose(np.abs(projection.components), np.eye(4)[[2, 0, 3]], atol=0.1)
    assert (projection.components.max(axis=1) > 0.9).all()  # fixed signs


def test_fit_is_weighted_by_the_mask():
    """Positions of weight zero change neither mean nor range."""
    maps = torch.zeros(1, 3, 1, 4)
    maps[0, 0, 0] = torch.tensor([1.0, 3.0, 100.0, 1.0])
    projection = Projection.fit(maps, torch.tensor([1.0, 2.0, 0.0, 1.0]).view(1, 1, 1, 4))
    np.testing.assert_allclose(projection.mean, [2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(projection.components[0], [1, 0, 0], atol=1e-6)
    assert (projection.low[0], projection.high[0]) == (-1, 1)


def test_colours_by_hand():
    projection = Projection(
        mean=np.float32([1, 0]),
        components=np.float32([[1, 0], [0, 1], [0, 0]]),
        low=np.float32([-1, 0, 0]),
        high=np.float32([1, 2, 1]),
    )
    maps = torch.tensor([1.5, 1.0]).view(1, 2, 1, 1)
    colours = projection.colours(maps, torch.full((1, 1, 1, 1), 0.5)).flatten()
    torch.testing.assert_close(colours, torch.tensor([0.375, 0.25, 0.0]))


def test_quantile():
    values, weights = np.array([4.0, 1.0, 2.0]), np.array([0.5, 0.2, 0.3])
    assert [weighted_quantile(values, weights, share) for share in (0.1, 0.2, 0.3, 0.99)] == [1, 1, 2, 4]


def test_few_channels_and_empty_masks_give_finite_colours():
    projection = Projection.fit(torch.rand(2, 2, 4, 4), torch.zeros(2, 1, 4, 4))
    colours = projection.colours(torch.rand(2, 2, 4, 4), torch.ones(2, 1, 4, 4))
    assert colours.shape == (2, 3, 4, 4) and colours.isfinite().all()
    assert (colours[:, 2] == 0).all()


def test_damaged_file_and_file_of_another_network_are_refused(tmp_path):
    path = tmp_path / "projection.npz"
    Projection.fit(torch.rand(1, 4, 4, 4), torch.ones(1, 1, 4, 4)).save(path)
    assert Projection.load(path, 4).components.shape == (3, 4)
    with pytest.raises(DataError, match="is for 4 channels, but .* have 6"):
        Projection.load(path, 6)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="projection.npz is not a valid"):
        Projection.load(path, 4)
