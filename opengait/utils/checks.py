"""Type questions that upstream model files ask of configuration values and features."""

from typing import Any

import numpy as np
import torch
from torch import nn


def is_list(value: Any) -> bool:
    """A list or a `ModuleList`; a tuple is neither."""
    return isinstance(value, list | nn.ModuleList)


def is_dict(value: Any) -> bool:
    """A dict (its subclasses and `ModuleDict` included)."""
    return isinstance(value, dict | nn.ModuleDict)


def is_list_or_tuple(value: Any) -> bool:
    """A list, a tuple or a `ModuleList`."""
    return is_list(value) or isinstance(value, tuple)


def is_tensor(value: Any) -> bool:
    """A torch tensor."""
    return isinstance(value, torch.Tensor)


def is_array(value: Any) -> bool:
    """A numpy array."""
    return isinstance(value, np.ndarray)


def is_str(value: Any) -> bool:
    """A string."""
    return isinstance(value, str)


def is_int(value: Any) -> bool:
    """An integer; True and False count, as in Python."""
    return isinstance(value, int)


def is_float(value: Any) -> bool:
    """A Python float."""
    return isinstance(value, float)


def is_bool(value: Any) -> bool:
    """True or False."""
    return isinstance(value, bool)


def is_int_list(value: Any) -> bool:
    """A list of integers. A list of booleans is one too, so ask `is_bool_list` first."""
    return is_list(value) and all(isinstance(item, int) for item in value)


def is_bool_list(value: Any) -> bool:
    """A list of booleans."""
    return is_list(value) and all(isinstance(item, bool) for item in value)
