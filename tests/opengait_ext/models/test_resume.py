"""Training of image and video methods through the engine, in small: a resumed run equals one that was not stopped."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.opengait_ext.models.vld.tiny import model_cfg as tiny_vld
from tests.opengait_ext.runs.stand_in_runs import engine
from tests.paths import ROOT

pytestmark = pytest.mark.slow

# Configuration, and the changes that make it small; the data has three people to train on.
AGW = {"model_cfg": {"num_classes": 3, "backbone": {"backbone": "resnet10", "width": 8, "weights": None}}}
# The adversarial loss begins where the run is resumed.
MITML = {**AGW, "loss_cfg": {"confusion": {"begin_iter": "1 epoch"}}}
VLD = {"model_cfg": tiny_vld(num_classes=3, frames=6, image_size=(64, 32))}
METHODS: dict[str, dict[str, Any]] = {
    "agw/hitsz": AGW,
    "auxnet/hitsz": AGW,
    "caj/hitsz": AGW,
    "deen/hitsz": AGW,
    "mitml/hitsz": MITML,
    "vld/hitsz": VLD,
}


def write(people: Path, folder: Path, name: str, changes: dict[str, Any]) -> Path:
    content = {
        "base": str(ROOT / f"configs/{name}.yaml"),
        "data_cfg": {"dataset_root": str(people / "data"), "frame_size": [64, 32], "num_workers": 0},
        "trainer_cfg": {
            "steps_per_epoch": 2,
            "total_iter": 4,
            "save_iter": 2,
            "log_iter": 1,
            "sampler": {"batch_size": [2, 2]},
        },
        "evaluator_cfg": {"restore_hint": 4},
        **changes,
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def last(folder: Path) -> dict[str, Any]:
    (path,) = folder.rglob("*-00004.pt")
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("name", METHODS)
def test_a_resumed_run_equals_an_uninterrupted_one(people, tmp_path, name):
    config = write(people, tmp_path, name, METHODS[name])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    with engine(whole) as run:
        assert run(config, "train") == 0 and run(config, "test") == 0
    with engine(parts) as run:
        assert run(config, "train", "trainer_cfg.total_iter=2") == 0
    with engine(parts) as run:
        assert run(config, "train", "--iter", "2") == 0
    one, two = last(whole), last(parts)
    assert one["model"].keys() == two["model"].keys()
    assert all(torch.equal(value, two["model"][key]) for key, value in one["model"].items())
    for a, b in zip(one["optimizer"]["state"].values(), two["optimizer"]["state"].values(), strict=True):
        assert a and all(torch.equal(torch.as_tensor(a[key]), torch.as_tensor(b[key])) for key in a)
    if "mitml" in name:
        states = [run["critics"]["modality_classifier"]["optimizer"]["state"] for run in (one, two)]
        for a, b in zip(*(state.values() for state in states), strict=True):
            assert torch.equal(a["momentum_buffer"], b["momentum_buffer"])
        logs = "".join(path.read_text() for path in whole.rglob("logs/*.txt"))
        lines = [line for line in logs.splitlines() if "Iteration 0" in line]
        assert ["confusion_loss=" in line for line in lines] == [False, False, True, True]
    (results,) = whole.rglob("test-*.json")
    card = json.loads(results.read_text())["card"]
    if name in ("agw/hitsz", "caj/hitsz", "deen/hitsz"):
        assert card["tracklets_as_images"]["training"] == "one frame of a tracklet per step"
