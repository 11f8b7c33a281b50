"""The folder of a run; does not import torch, so that tools start quickly."""

from pathlib import Path
from typing import Any

from opengait.utils.text import below


def output_path(cfgs: dict[str, Any], training: bool) -> Path:
    """Return `<output_root>/<dataset_name>/<model>/<save_name>`; names of several datasets are joined by `_`."""
    data_cfg = cfgs["data_cfg"]
    names = [data_cfg["dataset_name"]] if isinstance(data_cfg, dict) else [entry["dataset_name"] for entry in data_cfg]
    engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
    root = Path(cfgs["trainer_cfg"].get("output_root", "output"))
    return root / below("_".join(map(str, names)), str(cfgs["model_cfg"]["model"]), str(engine_cfg["save_name"]))
