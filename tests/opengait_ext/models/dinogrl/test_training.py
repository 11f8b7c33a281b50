"""DinoGRL through the engine's command line: processes, stops, and what is said when something is wrong."""

import json
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.opengait.tiny import launch, trained
from tests.paths import ROOT

TINY_VIT = {
    "name": "vit_tiny_patch16_224",
    "layers": [0, 1],
    "image_size": [64, 32],
    "arguments": {"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Eight people to train on and five to test on, drawn small; and a vision transformer's weights."""
    sys.path.insert(0, str(ROOT / "datasets"))
    from synthetic_vvi.generate import SyntheticConfig, generate

    from opengait_ext.models.shared.transformer import build_transformer

    folder = tmp_path_factory.mktemp("world")
    config = SyntheticConfig(train_identities=8, test_identities=5, cameras=2, frames=14, size=(64, 32), seed=3)
    generate(folder / "data", config)
    torch.manual_seed(0)
    vit = build_transformer(TINY_VIT["name"], (64, 32), TINY_VIT["arguments"])
    torch.save(vit.state_dict(), folder / "vit.pth")
    return folder


def write_config(world: Path, folder: Path, **changes) -> Path:
    """configs/dinogrl/demo.yaml made small, with the paths of this test."""
    content = {
        "base": str(ROOT / "configs/dinogrl/demo.yaml"),
        "data_cfg": {"dataset_root": str(world / "data"), "frame_size": [64, 32], "num_workers": 0},
        "model_cfg": {
            "num_classes": 8,
            "dimension": 8,
            "granularities": [2, 4],
            "appearance": {"width": 8},
            "vision_model": TINY_VIT | {"weights": str(world / "vit.pth")},
            "silhouette": {"size": [16, 8], "channels": 8, "hidden": 8},
            "gait": {"width": 8},
        },
        "trainer_cfg": {
            "output_root": str(folder / "output"),
            "total_iter": 4,
            "save_iter": 1,
            "log_iter": 1,
            "sampler": {"batch_size": [4, 2], "frames_num_fixed": 2},
            **changes,
        },
        "evaluator_cfg": {"restore_hint": 4},
        # Plain steps, so that parameters differ no more than gradients do.
        "optimizer_cfg": {"solver": "SGD", "lr": 0.01, "momentum": 0.9, "groups": []},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [3]},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def checkpoint(folder: Path, iteration: int) -> dict:
    path = folder / f"output/Synthetic-VVI/DinoGRL/DinoGRL/checkpoints/DinoGRL-{iteration:05d}.pt"
    return torch.load(path, weights_only=True)


def results(folder: Path) -> dict:
    path = folder / "output/Synthetic-VVI/DinoGRL/DinoGRL/logs/test-00004.json"
    return json.loads(path.read_text())["results"]


@pytest.fixture(scope="module")
def alone(world, tmp_path_factory) -> Path:
    """A run of one process, trained and tested."""
    folder = tmp_path_factory.mktemp("alone")
    config = write_config(world, folder)
    trained(folder, "--cfgs", config, "--phase", "train")
    trained(folder, "--cfgs", config, "--phase", "test")
    return folder


def test_two_processes_learn_and_measure_the_same(world, alone, tmp_path):
    config = write_config(world, tmp_path)
    trained(tmp_path, "--cfgs", config, "--phase", "train", world=2)
    one, two = checkpoint(alone, 1), checkpoint(tmp_path, 1)
    # After one step, momentum is the gradient. Where rounding moves a hinge or a maximum over its kink, a few entries
    # jump, so most parameters must agree closely and every one roughly. Unsynchronised, the median is over 1.
    apart = [
        float((a["momentum_buffer"] - b["momentum_buffer"]).norm() / a["momentum_buffer"].norm().clamp(min=1e-6))
        for a, b in zip(*states(one, two), strict=True)
    ]
    assert sorted(apart)[len(apart) // 2] < 1e-3 and max(apart) < 0.2
    for name, value in one["model"].items():
        if "running_" in name:
            assert torch.allclose(value, two["model"][name], rtol=1e-3, atol=1e-4), name
    # The same weights, measured by two processes.
    last = alone / "output/Synthetic-VVI/DinoGRL/DinoGRL/checkpoints/DinoGRL-00004.pt"
    trained(tmp_path, "--cfgs", config, "--phase", "test", "--set", f"evaluator_cfg.restore_hint={last}", world=2)
    again = tmp_path / "output/Synthetic-VVI/DinoGRL/DinoGRL/logs/test-00000.json"
    measured = json.loads(again.read_text())["results"]
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        assert measured[direction] == pytest.approx(results(alone)[direction])


def states(*checkpoints: dict) -> list[list[dict]]:
    return [list(content["optimizer"]["state"].values()) for content in checkpoints]


def test_a_stopped_run_goes_on_as_if_it_had_not(world, alone, tmp_path):
    config = write_config(world, tmp_path)
    trained(tmp_path, "--cfgs", config, "--phase", "train", "--set", "trainer_cfg.total_iter=2")
    trained(tmp_path, "--cfgs", config, "--phase", "train", "--iter", "2")
    whole, continued = checkpoint(alone, 4)["model"], checkpoint(tmp_path, 4)["model"]
    assert whole.keys() == continued.keys()
    for name in whole:
        assert torch.equal(whole[name], continued[name]), name


def test_checkpoints_leave_the_frozen_model_out(alone):
    assert not [name for name in checkpoint(alone, 4)["model"] if "vision_model" in name]


def test_results_hold_both_directions(alone):
    found = results(alone)
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        assert {"rank1", "rank5", "rank10", "rank20", "map", "minp", "queries", "gallery"} <= found[direction].keys()
    assert 0 < found["chance_rank1"] < 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data_cfg.dataset_root=nowhere", "HITSZ-VCM was not found at"),
        ("model_cfg.vision_model.weights=nowhere.pth", "there is no file nowhere.pth"),
        ("model_cfg.num_classes=9", "add --set model_cfg.num_classes=8"),
        ("trainer_cfg.sampler.sample_type=all_ordered", "sample_type that starts with fixed_"),
        ("model_cfg.gait.widht=8", "widht"),
    ],
)
def test_mistakes_are_one_message(world, tmp_path, setting, message):
    done = launch("--cfgs", write_config(world, tmp_path), "--phase", "train", "--set", setting, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
