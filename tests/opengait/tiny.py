"""A dataset, a configuration and a model that train in a second, and runs of the command line."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.paths import ROOT

MODELS = Path(__file__).resolve().parent / "tiny_models"
TYPES = ("nm-01", "nm-02", "nm-03", "nm-04", "nm-05", "nm-06", "bg-01", "cl-01")
VIEWS = ("000", "090")


def write_dataset(root: Path, train_ids: int = 4, test_ids: int = 3, frames: int = 5) -> Path:
    """Write tracklets in OpenGait's layout, a noisy bar at a different height per id; return the partition file.

    The last id lacks a view, so two processes cannot share the test tracklets evenly.
    """
    rng = np.random.default_rng(0)
    ids = [f"{number:03d}" for number in range(1, train_ids + test_ids + 1)]
    for number, label in enumerate(ids):
        for kind in TYPES:
            for view in VIEWS:
                if (label, kind, view) == (ids[-1], TYPES[-1], VIEWS[-1]):
                    continue
                folder = root / label / kind / view
                folder.mkdir(parents=True)
                clip = rng.integers(0, 60, (frames + number % 2, 64, 64), dtype=np.uint8)
                clip[:, 6 * number + 4 : 6 * number + 16, 20:44] += 180
                with (folder / f"{view}.pkl").open("wb") as file:
                    pickle.dump(clip, file)
    partition = root.parent / "partition.json"
    partition.write_text(json.dumps({"TRAIN_SET": ids[:train_ids], "TEST_SET": ids[train_ids:]}))
    return partition


def config(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return a configuration for `write_dataset(folder / "data")`; `changes` update its sections."""
    sections: dict[str, Any] = {
        "extensions": [str(MODELS), "tests.opengait.tiny_parts"],
        "data_cfg": {
            "dataset_name": "CASIA-B",
            "dataset_root": str(folder / "data"),
            "dataset_partition": str(folder / "partition.json"),
            "num_workers": 0,
        },
        "trainer_cfg": {
            "output_root": str(folder / "output"),
            "enable_float16": False,
            "sync_BN": True,
            "total_iter": 6,
            "log_iter": 2,
            "save_iter": 3,
            "save_name": "tiny",
            "sampler": {"batch_size": [2, 2], "sample_type": "fixed_unordered", "frames_num_fixed": 3},
        },
        "evaluator_cfg": {"save_name": "tiny", "restore_hint": 6, "eval_func": "nearest_other"},
        "loss_cfg": [
            {"type": "TripletLoss", "log_prefix": "triplet", "loss_term_weight": 1.0, "margin": 0.2},
            {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 0.5, "log_accuracy": True},
        ],
        "optimizer_cfg": {"solver": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 5e-4},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [4], "gamma": 0.1},
        "model_cfg": {
            "model": "TinySil",
            "width": 6,
            "SeparateFCs": {"in_channels": 6, "out_channels": 5, "parts_num": 16},
            "SeparateBNNecks": {"class_num": 4, "in_channels": 5, "parts_num": 16},
        },
    }
    for name, section in changes.items():
        sections[name] = {**sections.get(name, {}), **section} if isinstance(section, dict) else section
    return sections


def write_config(folder: Path, name: str = "tiny.yaml", **changes: Any) -> Path:
    """Write `config` to a file in `folder`."""
    file = folder / name
    file.write_text(yaml.safe_dump(config(folder, **changes), sort_keys=False))
    return file


def launch(
    *arguments: str | Path,
    world: int = 0,
    cwd: Path = ROOT,
    script: tuple[str, ...] = (str(ROOT / "opengait/main.py"),),
) -> subprocess.CompletedProcess:
    """Run the command line, with plain Python for `world` 0 and otherwise with torchrun and that many processes."""
    command, environment = _command(arguments, world, script)
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False)


def started(*arguments: str | Path, world: int = 0, cwd: Path = ROOT) -> subprocess.Popen:
    """Start what `launch` runs, in a process group of its own; its standard error can be read."""
    command, environment = _command(arguments, world, (str(ROOT / "opengait/main.py"),))
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _command(
    arguments: tuple[str | Path, ...], world: int, script: tuple[str, ...]
) -> tuple[list[str], dict[str, str]]:
    launcher = [sys.executable]
    if world:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={world}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return [*launcher, *script, *map(str, arguments)], environment


def trained(folder: Path, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess:
    """Run `launch` and assert that it succeeded."""
    process = launch(*arguments, cwd=folder, **options)
    assert process.returncode == 0, process.stderr[-3000:]
    return process
