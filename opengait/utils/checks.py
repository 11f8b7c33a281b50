"""Type checks of configuration values and features, as upstream's model files call them."""

from typing import Any

import numpy as np
import torch
from torch import nn


def is_list(value: Any) -> bool:
    """Return whether a value is a list or a `ModuleList`, not a tuple."""
    return isinstance(value, list | nn.ModuleList)


def is_dict(value: Any) -> bool:
    """Return whether a value is a dict or a `ModuleDict`."""
    return isinstance(value, dict | nn.ModuleDict)


def is_list_or_tuple(value: Any) -> bool:
    """Return whether a value is a list, a tuple or a `ModuleList`."""
    return is_list(value) or isinstance(value, tuple)


def is_tensor(value: Any) -> bool:
    """Return whether a value is a torch tensor."""
    return isinstance(value, torch.Tensor)


def is_array(value: Any) -> bool:
    """Return whether a value is a numpy array."""
    return isinstance(value, np.ndarray)


def is_str(value: Any) -> bool:
    """Return whether a value is a string."""
    return isinstance(value, str)


def is_int(value: Any) -> bool:
    """Return whether a value is an integer, which includes True and False, as in Python."""
    return isinstance(value, int)


def is_float(value: Any) -> bool:
    """Return whether a value is a Python float."""
    return isinstance(value, float)


def is_bool(value: Any) -> bool:
    """Return whether a value is True or False."""
    return isinstance(value, bool)


def is_int_list(value: Any) -> bool:
    """Return whether a value is a list of integers; this includes lists of booleans, so check `is_bool_list` first."""
    return is_list(value) and all(isinstance(item, int) for item in value)


def is_bool_list(value: Any) -> bool:
    """Return whether a value is a list of booleans."""
    return is_list(value) and all(isinstance(item, bool) for item in value)
