"""Seeds, folders and signals of this process."""

from pathlib import Path
from typing import Any

import torch

from opengait import distributed


def init_seeds(seed: int = 0, cuda_deterministic: bool = True) -> None:
    """Seed python, numpy and torch; choose reproducible or autotuned cudnn kernels."""
    distributed.seed_everything(seed)
    torch.backends.cudnn.deterministic = cuda_deterministic
    torch.backends.cudnn.benchmark = not cuda_deterministic


def mkdir(path: str | Path) -> None:
    """Make a folder and its parents, if it is not there."""
    Path(path).mkdir(parents=True, exist_ok=True)


def handler(signum: int, frame: Any) -> None:
    """A signal handler that ends this process in order. torchrun ends the other ranks; no process is sought by name."""
    raise SystemExit(128 + signum)
