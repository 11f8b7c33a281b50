"""Modalities of a batch as the numbers that networks take."""

from collections.abc import Sequence

import torch

from opengait.errors import DataError
from opengait_ext.data.tracklet import Modality

VISIBLE, INFRARED = Modality.VISIBLE.number, Modality.INFRARED.number


def modality_indices(types: Sequence[str]) -> torch.Tensor:
    """Return the modalities as long (n), 0 for "visible" and 1 for "infrared".

    Raises:
        DataError: a tracklet's type is neither.
    """
    values = [modality.value for modality in Modality]
    unknown = sorted(set(types) - set(values))
    if unknown:
        raise DataError(f"A tracklet's type is {unknown[0]!r}; expected {' or '.join(values)}.")
    return torch.tensor([Modality(name).number for name in types])


def per_frame(modality: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return the modality of each frame, long (n * s), from that of each tracklet (n); `shape` starts with n and s."""
    # Not `repeat_interleave`, which would fix both numbers in an exported graph.
    return modality.view(shape[0], 1).expand(shape[0], shape[1]).flatten()
