"""The weights and inputs behind the numbers in this folder, from their names and seeds (README.md)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

FOLDER = Path(__file__).parent
FILES = ("best_model", "best_model2", "best_shape")
UNDRAWN = "num_batches_tracked"


def read_json(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text())


def numbers(name: str) -> dict[str, np.ndarray]:
    """Load the arrays of an npz file."""
    with np.load(FOLDER / name) as arrays:
        return dict(arrays)


def weights(file: str) -> dict[str, torch.Tensor]:
    """Return one of the release's three state dicts with synthetic values."""
    return {
        name: torch.from_numpy(value(file, name, tuple(entry["shape"])))
        for name, entry in read_json(f"manifest_{file}.json").items()
    }


def value(file: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return an entry by the first rule of section 1 that matches its name."""
    if name.endswith(UNDRAWN):
        return np.zeros(shape, dtype=np.int64)
    digest = hashlib.sha256(f"{file}:{name}".encode()).digest()
    q = np.asarray(np.random.default_rng(int.from_bytes(digest[:8], "little")).standard_normal(shape))
    return np.asarray(_scaled(q, name, shape), dtype=np.float32)


def _scaled(q: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    rules = (
        (("running_mean",), lambda: 0.1 * q),
        (("running_var",), lambda: 1 + 0.5 * np.abs(q)),
        ((".GAP.p",), lambda: 3 + 0.1 * q),
        (("cls_token", "pos_embed", "mask_token"), lambda: 0.5 * q),
        (("A_res",), lambda: 0.01 * q),
        (("fc_bin",), lambda: q / np.sqrt(shape[1]) * (1.0 if "BNNecks" in name else 0.5)),
        ((".W1.1.weight", ".W2.1.weight"), lambda: 0.005 * (1 + 0.1 * q)),
        ((".W1.1.bias", ".W2.1.bias"), lambda: 0.02 * q),
        ((".bn3.weight",), lambda: 0.25 * (1 + 0.1 * q)),
        ((".bias",), lambda: 0.1 * q),
    )
    for ends, rule in rules:
        if name.endswith(ends):
            return rule()
    if len(shape) == 1:
        return 1 + 0.1 * q
    return q * np.sqrt((2 if len(shape) == 4 else 1) / np.prod(shape[1:]))


def frames(seed: int, tracklets: int = 2) -> torch.Tensor:
    """Return the input of section 2, (tracklets, 6, 3, 256, 128)."""
    generator = np.random.default_rng(seed)
    base = generator.standard_normal((tracklets, 6, 3, 8, 4))
    fine = generator.standard_normal((tracklets, 6, 3, 256, 128))
    blocks = base.repeat(32, axis=-2).repeat(32, axis=-1)
    return torch.from_numpy((blocks + 0.25 * fine).astype(np.float32))
