"""A small table of methods with small networks, on a few people of small frames."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from opengait_ext.benchmark import methods, plan
from opengait_ext.data import synthetic_vvi
from opengait_ext.data.synthetic_vvi import SyntheticConfig
from tests.opengait_ext.ablation.tiny import PART
from tests.opengait_ext.world import TINY_VIT
from tests.paths import ROOT

PEOPLE = SyntheticConfig(train_identities=5, test_identities=4, cameras=2, frames=12, size=(64, 32), occlusion=0)
VIT = TINY_VIT | {"weights": None, "precision": "float32"}
ENGINE: dict[str, Any] = {
    "trainer_cfg": {
        "output_root": "output",
        "steps_per_epoch": None,
        "total_iter": 2,
        "save_iter": 1,
        "log_iter": 1,
        "enable_float16": False,
        "sampler": {"batch_size": [3, 1], "frames_num_fixed": 2},
    },
    "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [1]},
    "evaluator_cfg": {"restore_hint": 2, "enable_float16": False, "sampler": {"frames_num_fixed": 2}},
}
FRAMES = {
    "data_cfg": {
        "dataset_name": "Synthetic-VVI",
        "test_dataset_name": "Synthetic-VVI",
        "frame_size": [64, 32],
        "num_workers": 0,
    }
}
DINOGRL = {"num_classes": 5, "dimension": 8, "appearance": PART}
GAIT = {"gait": PART, "vision_model": VIT, "silhouette": {"size": [16, 8], "channels": 8, "hidden": 8}}
GAITBASE = {
    "backbone_cfg": {"channels": [4, 8, 8, 8]},
    "SeparateFCs": {"in_channels": 8, "out_channels": 8},
    "SeparateBNNecks": {"class_num": 5, "in_channels": 8},
}
CONFIGS: dict[str, dict[str, Any]] = {
    "baseline": {"base": "dinogrl/hitsz_baseline.yaml", **FRAMES, "model_cfg": DINOGRL},
    "dinogrl": {"base": "dinogrl/hitsz.yaml", **FRAMES, "model_cfg": {**DINOGRL, **GAIT}},
    "gaitbase": {"base": "gaitbase/hitsz.yaml", "data_cfg": {"num_workers": 0}, "model_cfg": GAITBASE},
}
METHODS = [
    {"name": "baseline", "title": "B", "configs": "baseline"},
    {"name": "gaitbase_true", "title": "GaitBase, truth", "configs": "gaitbase", "silhouettes": "true"},
    {"name": "gaitbase_dinogrl", "title": "GaitBase, DinoGRL", "configs": "gaitbase", "silhouettes": "dinogrl"},
    {"name": "dinogrl", "title": "DinoGRL", "configs": "dinogrl", "silhouettes": "own"},
]


def write_methods(folder: Path, **changes: Any) -> Path:
    """Write the configurations and the table of methods, and return the table's file."""
    for name, content in CONFIGS.items():
        content = {**content, **ENGINE, "base": str(ROOT / "configs" / content["base"])}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    rows = [
        {**row, "configs": {"synthetic": str(folder / f"{row['configs']}.yaml")}, **changes.get(str(row["name"]), {})}
        for row in METHODS
    ]
    content = {"rate_factors": [0.333333, 1, 3], "quick": ["baseline", "dinogrl"], "methods": rows}
    file = folder / "methods.json"
    file.write_text(json.dumps(content))
    return file


def use_methods(folder: Path, monkeypatch: Any) -> None:
    """Have `vvi benchmark` take the small methods and people."""
    monkeypatch.setattr(methods, "FILE", write_methods(folder))
    monkeypatch.setattr(synthetic_vvi, "BENCHMARK", PEOPLE)
    small = replace(plan.DATA["synthetic"], frames=str(folder / "baseline.yaml"))
    monkeypatch.setitem(plan.DATA, "synthetic", small)
