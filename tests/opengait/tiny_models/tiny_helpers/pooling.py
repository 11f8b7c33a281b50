"""A helper in a folder without an `__init__.py`, like OpenGait's `BigGait_utils`."""

import torch
from utils import is_tensor


def frame_mean(rows):
    """[n, s, c, p] -> [n, c, p]."""
    assert is_tensor(rows)
    return rows.mean(1)


def frame_mean_packed(rows, lengths):
    """[1, S, c, p] with the lengths [1, n] -> [n, c, p]."""
    return torch.stack([part.mean(0) for part in rows[0].split(lengths[0].tolist())])
