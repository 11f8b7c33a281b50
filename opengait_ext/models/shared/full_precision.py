"""Computing in float32 whatever the surrounding autocast."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context without autocast on that device.

    If there is none anyway, nothing is entered: torch cannot read back every exported graph with such a context.
    """
    if not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
