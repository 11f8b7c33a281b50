"""Comparison with golden numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.golden import seeded

FOLDER = Path(__file__).parent


def deviation(output: Any, golden: Any) -> float:
    """Return the largest difference divided by the golden's standard deviation, or by its maximum if that is zero.

    Raises:
        AssertionError: the shapes differ.
    """
    output = np.asarray(output.detach().cpu() if isinstance(output, torch.Tensor) else output, dtype=np.float64)
    golden = np.asarray(golden, dtype=np.float64)
    assert output.shape == golden.shape, f"{output.shape} is not {golden.shape}"
    scale = golden.std() if golden.size > 1 and golden.std() > 0 else max(np.abs(golden).max(), 1e-12)
    return float(np.abs(output - golden).max() / scale)


def assert_golden(output: Any, golden: Any, limit: float = 1e-4) -> None:
    """Assert that `deviation` is below `limit`."""
    assert deviation(output, golden) < limit


def normals(name: str, *shape: int) -> torch.Tensor:
    """Return the float32 standard normals of that name."""
    return torch.from_numpy(seeded.normal(name, shape).astype(np.float32))


def uniforms(name: str, *shape: int) -> torch.Tensor:
    """Return the float32 uniforms in [0, 1) of that name."""
    return torch.from_numpy(seeded.uniform(name, shape).astype(np.float32))


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """Fill `module` with the golden weights, and return it in evaluation mode."""
    seeded.fill_state(module)
    return module.eval()
