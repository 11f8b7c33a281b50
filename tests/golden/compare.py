"""Comparing with golden numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.golden import seeded

FOLDER = Path(__file__).parent


def deviation(ours: Any, golden: Any) -> float:
    """Largest difference over the golden's standard deviation (over its largest value, if it has one value only).

    Raises:
        AssertionError: the shapes differ.
    """
    ours = np.asarray(ours.detach().cpu() if isinstance(ours, torch.Tensor) else ours, dtype=np.float64)
    golden = np.asarray(golden, dtype=np.float64)
    assert ours.shape == golden.shape, f"{ours.shape} is not {golden.shape}"
    scale = golden.std() if golden.size > 1 and golden.std() > 0 else max(np.abs(golden).max(), 1e-12)
    return float(np.abs(ours - golden).max() / scale)


def assert_golden(ours: Any, golden: Any, limit: float = 1e-4) -> None:
    """`deviation` is below `limit`."""
    assert deviation(ours, golden) < limit


def normals(name: str, *shape: int) -> torch.Tensor:
    """float32 standard normals of that name."""
    return torch.from_numpy(seeded.normal(name, shape).astype(np.float32))


def uniforms(name: str, *shape: int) -> torch.Tensor:
    """float32 uniforms in [0, 1) of that name."""
    return torch.from_numpy(seeded.uniform(name, shape).astype(np.float32))


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """`module` in evaluation mode with the golden weights."""
    seeded.fill_state(module)
    return module.eval()
