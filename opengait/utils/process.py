"""Seeds, folders and signal handling of a process."""

import signal
from pathlib import Path
from typing import Any

import torch

from opengait import distributed


def init_seeds(seed: int = 0, cuda_deterministic: bool = True) -> None:
    """Seed Python, numpy and torch, and select reproducible or autotuned cudnn kernels."""
    distributed.seed_everything(seed)
    torch.backends.cudnn.deterministic = cuda_deterministic
    torch.backends.cudnn.benchmark = not cuda_deterministic


def mkdir(path: str | Path) -> None:
    """Create a folder and its parents if they do not exist."""
    Path(path).mkdir(parents=True, exist_ok=True)


def handler(signum: int, frame: Any) -> None:
    """Exit on a signal; torchrun then ends the other ranks."""
    raise SystemExit(128 + signum)


def leave_signals_to_main() -> None:
    """Ignore Ctrl-C and SIGTERM in a data worker, which ends with the main process.

    Launchers signal whole process groups, and a main process that stops still needs the batch of its last iteration.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
