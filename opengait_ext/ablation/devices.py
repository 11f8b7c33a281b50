"""Which devices runs go to: several runs side by side, each on devices of its own."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from opengait.errors import ConfigError
from opengait.shipped import PACKAGES

MAIN = PACKAGES / "opengait/main.py"
# Without CUDA: more runs side by side than this gain nothing on a laptop and need its memory.
CPU_RUNS = 2


@dataclass(frozen=True)
class Device:
    """Where one run at a time goes.

    Attributes:
        cuda: numbers of its CUDA devices, each with a process of its own; none for the CPU.
        threads: of the CPU, for a run there.
    """

    cuda: tuple[int, ...] = ()
    threads: int = 1

    @property
    def title(self) -> str:
        """For messages."""
        if self.cuda:
            return f"CUDA device {', '.join(map(str, self.cuda))}"
        return f"{self.threads} CPU thread{'s' if self.threads > 1 else ''}"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes find in their environment."""
        if self.cuda:
            return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self.cuda))}
        return {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": str(self.threads)}

    @property
    def command(self) -> list[str]:
        """How the engine is started there."""
        if len(self.cuda) < 2:
            return [sys.executable, str(MAIN)]
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        return [*launcher, f"--nproc_per_node={len(self.cuda)}", str(MAIN)]


def devices_of(texts: Sequence[str]) -> list[Device]:
    """Devices as they are typed: `cpu` (twice for two runs side by side), `0`, or `0,1` for one run on both.

    Args:
        texts: none for every CUDA device, or without CUDA for the CPU.

    Raises:
        ConfigError: a text is neither, or names a device that is not there or is taken.
    """
    count = torch.cuda.device_count()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    texts = list(texts) or [str(number) for number in range(count)] or ["cpu"] * min(CPU_RUNS, cores)
    numbers = [() if text == "cpu" else _numbers(text, count) for text in texts]
    taken = [number for group in numbers for number in group]
    if len(set(taken)) < len(taken):
        raise ConfigError(f"--devices {' '.join(texts)} names a CUDA device twice; give every run its own.")
    threads = max(1, cores // max(1, sum(not group for group in numbers)))
    return [Device(group, threads) for group in numbers]


def _numbers(text: str, count: int) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--devices has {text!r}; wanted are cpu, a number such as 0, or several such as 0,1.")
    numbers = tuple(map(int, parts))
    missing = [number for number in numbers if number >= count]
    if missing:
        there = f"devices 0 to {count - 1} are there" if count else "torch sees no CUDA device; give cpu"
        raise ConfigError(f"--devices has {missing[0]}, but {there}.")
    return numbers
