"""Which arithmetic a phase computes in."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from opengait.errors import ConfigError

_TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


class Precision:
    """Mixed or full precision on a device. The CPU has no float16 arithmetic worth using: there it means float32.

    Args:
        dtype: None for full precision.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype | None) -> None:
        self.device = device
        self.dtype = None if dtype is torch.float16 and device.type == "cpu" else dtype

    @classmethod
    def of(cls, cfgs: dict[str, Any], device: torch.device, *, training: bool) -> "Precision":
        """What `enable_float16` of the phase's section and `trainer_cfg.amp_dtype` ask for.

        Raises:
            ConfigError: an unknown amp_dtype.
        """
        name = cfgs["trainer_cfg"].get("amp_dtype", "float16")
        if name not in _TYPES:
            raise ConfigError(f"trainer_cfg.amp_dtype is {name!r}; wanted is {' or '.join(_TYPES)}.")
        wanted = cfgs["trainer_cfg" if training else "evaluator_cfg"]["enable_float16"]
        return cls(device, _TYPES[name] if wanted else None)

    def autocast(self) -> AbstractContextManager:
        """The context that forward passes run in."""
        return torch.autocast(self.device.type, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None)

    def scaler(self) -> torch.amp.GradScaler:
        """A loss scaler, which does nothing but for float16: bfloat16 has float32's range."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)
