"""Mixed and full precision."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from opengait.errors import ConfigError

_TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
# bfloat16 on GPUs that compute in it, else float16.
AUTO = "auto"


class Precision:
    """Mixed or full precision on a device. float16 becomes float32 on the CPU, which has no fast float16 arithmetic.

    Args:
        dtype: None for full precision.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype | None) -> None:
        self.device = device
        self.dtype = None if dtype is torch.float16 and device.type == "cpu" else dtype

    @classmethod
    def of(cls, cfgs: dict[str, Any], device: torch.device, *, training: bool) -> "Precision":
        """Return the precision that `enable_float16` of the phase's section and `trainer_cfg.amp_dtype` select.

        Raises:
            ConfigError: `amp_dtype` is unknown.
        """
        name = cfgs["trainer_cfg"].get("amp_dtype", "float16")
        if name == AUTO:
            name = "bfloat16" if _computes_in_bfloat16(device) else "float16"
        if name not in _TYPES:
            raise ConfigError(f"trainer_cfg.amp_dtype is {name!r}; expected {', '.join(_TYPES)} or {AUTO}.")
        enabled = cfgs["trainer_cfg" if training else "evaluator_cfg"]["enable_float16"]
        return cls(device, _TYPES[name] if enabled else None)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context that forward passes run in."""
        return torch.autocast(self.device.type, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None)

    def scaler(self) -> torch.amp.GradScaler:
        """Return a loss scaler, enabled for float16 only: bfloat16 has the range of float32."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)


def _computes_in_bfloat16(device: torch.device) -> bool:
    # Earlier GPUs than Ampere (8.0) emulate it.
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
