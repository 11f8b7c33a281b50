"""The enriched silhouette's channels as a colour: a principal component analysis shared by all pictures."""

from dataclasses import astuple, dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from opengait.errors import DataError
from opengait.utils.files import write_whole

# Shares of the foreground that may fall outside the range of a colour, at either end.
TAIL = 0.01


@dataclass(frozen=True)
class Projection:
    """From c channels to red, green and blue.

    Attributes:
        mean: foreground mean of the channels, (c).
        components: the three directions of largest foreground variance, rows, (3, c).
        low, high: what becomes 0 and 1 in each colour, (3).
    """

    mean: np.ndarray
    components: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, enriched: Tensor, mask: Tensor) -> "Projection":
        """Weigh every position by its mask, so that the background has no say.

        Args:
            enriched: M of Eq. 6, (k, c, h, w).
            mask: S of Eq. 4, (k, 1, h, w).
        """
        values = enriched.detach().movedim(1, -1).flatten(0, -2).cpu().double().numpy()
        weights = mask.detach().flatten().cpu().double().numpy()
        # A network that finds nobody anywhere still gets a picture.
        weights = weights / weights.sum() if weights.sum() > 0 else np.full_like(weights, 1 / len(weights))
        mean = weights @ values
        centred = values - mean
        directions = np.linalg.eigh((centred * weights[:, None]).T @ centred)[1][:, ::-1].T[:3]
        # The sign of an eigenvector is arbitrary; fixed, the same data gives the same colours everywhere.
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
        """Red, green and blue, 0 to 1, darkened to black where the mask finds nobody.

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
        """Write it as `.npz`."""
        write_whole(path, lambda partial: np.savez(partial, **{f.name: getattr(self, f.name) for f in fields(self)}))

    @classmethod
    def load(cls, path: str | Path, channels: int) -> "Projection":
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or damaged, or is for another number of channels.
        """
        try:
            with np.load(path, allow_pickle=False) as content:
                projection = cls(*(content[field.name] for field in fields(cls)))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(
                f"{path} is no readable projection ({error}); remove it to have it fitted again."
            ) from error
        if projection.components.shape != (3, channels):
            raise DataError(
                f"{path} projects {projection.components.shape[-1]} channels, but this network's enriched silhouettes "
                f"have {channels}; it was made with another network."
            )
        return projection


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """The smallest of `values` (k) at which the weights (k, summing to 1) of it and all smaller ones reach `share`."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][min(np.searchsorted(reached, share), len(values) - 1)])
