"""The numbers of an evaluation, as a file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from opengait.modeling.testing import evaluated_name


def write_results(model: nn.Module, result: dict[str, Any]) -> Path:
    """Write `<save_path>/logs/test-<iteration>.json`: data set, checkpoint, iteration and the evaluator's `results`.

    Args:
        model: the bare model that was tested.
        result: what its `run_test` returned; numbers, arrays, lists, and dicts of such.

    Returns:
        The file's path.
    """
    file = Path(model.save_path) / "logs" / f"test-{model.iteration:0>5}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "dataset": evaluated_name(model.cfgs),
        "checkpoint": None if model.restored_from is None else _from_here(model.restored_from),
        "iteration": model.iteration,
        "results": _plain(result),
    }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return file


def _from_here(path: Path) -> str:
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        return value.tolist()
    return value
