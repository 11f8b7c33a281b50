"""Projection of the enriched silhouette's channels to colours by a principal component analysis."""

from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from opengait.errors import DataError
from opengait.utils.files import read_arrays, write_whole

# Share of the foreground that is clipped at either end of a colour's range.
TAIL = 0.01


@dataclass(frozen=True)
class Projection:
    """Projection from c channels to red, green and blue.

    Attributes:
        mean: foreground mean of the channels, (c).
        components: the three directions of largest foreground variance, as rows, (3, c).
        low, high: the scores that become 0 and 1 in each colour, (3).
    """

    mean: np.ndarray
    components: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, enriched: Tensor, mask: Tensor) -> "Projection":
        """Fit a projection, with every position weighted by its mask, so the background has no influence.

        Args:
            enriched: M of Eq. 6, (k, c, h, w).
            mask: S of Eq. 4, (k, 1, h, w).
        """
        values = enriched.detach().movedim(1, -1).flatten(0, -2).cpu().double().numpy()
        weights = mask.detach().flatten().cpu().double().numpy()
        # Empty masks still give a projection.
        weights = weights / weights.sum() if weights.sum() > 0 else np.full_like(weights, 1 / len(weights))
        mean = weights @ values
        centred = values - mean
        directions = np.linalg.eigh((centred * weights[:, None]).T @ centred)[1][:, ::-1].T[:3]
        # The sign of an eigenvector is arbitrary; fixing it makes the colours reproducible.
        largest = np.abs(directions).argmax(axis=1)
        directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
        components = np.zeros((3, values.shape[1]))
        components[: len(directions)] = directions
        scores = centred @ components.T
        low = np.array([weighted_quantile(score, weights, TAIL) for score in scores.T])
        high = np.array([weighted_quantile(score, weights, 1 - TAIL) for score in scores.T])
        high = np.where(high > low, high, low + 1)
        return cls(*(part.astype(np.float32) for part in (mean, components, low, high)))

    def colours(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Return red, green and blue from 0 to 1, multiplied by the mask.

        Args:
            maps: M of Eq. 6, (k, c, h, w).
            mask: S of Eq. 4, (k, 1, h, w).

        Returns:
            (k, 3, h, w), float32.
        """
        mean, components, low, high = (torch.from_numpy(part).to(maps.device) for part in astuple(self))
        scores = torch.einsum("rc,kchw->krhw", components, maps - mean.view(1, -1, 1, 1))
        low, high = low.view(1, 3, 1, 1), high.view(1, 3, 1, 1)
        return ((scores - low) / (high - low)).clamp(0, 1) * mask

    def save(self, path: Path) -> None:
        """Write the projection as an `.npz` file."""
        write_whole(path, lambda partial: np.savez(partial, **{f.name: getattr(self, f.name) for f in fields(self)}))

    @classmethod
    def load(cls, path: Path, channels: int) -> "Projection":
        """Read a file written by `save`.

        Raises:
            DataError: the file is missing, damaged, or for another number of channels.
        """
        names = [field.name for field in fields(cls)]
        arrays = read_arrays(path, names, "vvi export-silhouettes")
        projection = cls(*(arrays[name] for name in names))
        if projection.components.shape != (3, channels):
            raise DataError(
                f"{path} is for {projection.components.shape[-1]} channels, but this network's enriched silhouettes "
                f"have {channels}; it was fitted for another network."
            )
        return projection


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Return the smallest value at which the cumulative weight reaches `share`.

    Args:
        values: (k).
        weights: (k), summing to 1.
        share: from 0 to 1.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])
