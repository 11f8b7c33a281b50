"""Devices for parallel runs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from opengait.errors import ConfigError
from opengait.shipped import PACKAGES
from opengait_ext.data.check.pool import cores

MAIN = PACKAGES / "opengait/main.py"
# Parallel runs without CUDA; on a laptop, more would need memory and save no time.
CPU_RUNS = 2


@dataclass(frozen=True)
class Device:
    """CUDA devices, or CPU threads, for one run at a time.

    Attributes:
        cuda: numbers of CUDA devices, one process each; empty for the CPU.
        threads: CPU threads of a run on the CPU.
    """

    cuda: tuple[int, ...] = ()
    threads: int = 1

    @property
    def title(self) -> str:
        """Name for messages."""
        if self.cuda:
            return f"CUDA device {', '.join(map(str, self.cuda))}"
        return f"{self.threads} CPU thread{'s' if self.threads > 1 else ''}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the processes."""
        if self.cuda:
            return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self.cuda))}
        return {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": str(self.threads)}

    def command(self, module: str | None = None) -> list[str]:
        """Return the command that starts a module, or by default the engine on all of the device."""
        if module is not None:
            return [sys.executable, "-m", module]
        if len(self.cuda) < 2:
            return [sys.executable, str(MAIN)]
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        return [*launcher, f"--nproc_per_node={len(self.cuda)}", str(MAIN)]


def devices_of(texts: Sequence[str]) -> list[Device]:
    """Parse devices: `cpu` (twice for two parallel runs), `0`, or `0,1` for one run on both.

    Args:
        texts: devices; empty for every CUDA device, or the CPU if there is none.

    Raises:
        ConfigError: a text is not a device, or a device is missing or named twice.
    """
    count = torch.cuda.device_count()
    texts = list(texts) or [str(number) for number in range(count)] or ["cpu"] * min(CPU_RUNS, cores())
    numbers = [() if text == "cpu" else _numbers(text, count) for text in texts]
    taken = [number for group in numbers for number in group]
    if len(set(taken)) < len(taken):
        raise ConfigError(f"--devices {' '.join(texts)} names a CUDA device twice; each run needs its own.")
    threads = max(1, cores() // max(1, sum(not group for group in numbers)))
    return [Device(group, threads) for group in numbers]


def _numbers(text: str, count: int) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--devices: expected cpu, a number such as 0, or several such as 0,1, got {text!r}.")
    numbers = tuple(map(int, parts))
    missing = [number for number in numbers if number >= count]
    if missing:
        available = f"devices 0 to {count - 1} are available" if count else "torch sees no CUDA device; give cpu"
        raise ConfigError(f"--devices has {missing[0]}, but {available}.")
    return numbers
