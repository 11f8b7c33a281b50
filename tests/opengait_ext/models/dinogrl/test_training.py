"""DinoGRL through the engine's command line: several processes, resuming, and error messages."""

import json
from pathlib import Path

import pytest
import torch

from tests.opengait.tiny import launch, trained
from tests.opengait_ext.world import write_config

pytestmark = pytest.mark.slow


def checkpoint(folder: Path, iteration: int) -> dict:
    path = folder / f"output/Synthetic-VVI/DinoGRL/DinoGRL/checkpoints/DinoGRL-{iteration:05d}.pt"
    return torch.load(path, weights_only=True)


def results(folder: Path) -> dict:
    path = folder / "output/Synthetic-VVI/DinoGRL/DinoGRL/logs/test-00004.json"
    return json.loads(path.read_text())["results"]


@pytest.fixture(scope="module")
def single_run(world, tmp_path_factory) -> Path:
    """Train and test one process."""
    folder = tmp_path_factory.mktemp("single_run")
    config = write_config(world, folder)
    trained(folder, "--cfgs", config, "--phase", "train")
    trained(folder, "--cfgs", config, "--phase", "test")
    return folder


def test_two_processes_train_and_test_like_one(world, single_run, tmp_path):
    config = write_config(world, tmp_path)
    trained(tmp_path, "--cfgs", config, "--phase", "train", world=2)
    one, two = checkpoint(single_run, 1), checkpoint(tmp_path, 1)
    # After one step, momentum is the gradient. Rounding may move a hinge or a maximum, which changes a few entries, so
    # most parameters must agree closely and all roughly. Without synchronisation, the median is over 1.
    differences = [
        float((a["momentum_buffer"] - b["momentum_buffer"]).norm() / a["momentum_buffer"].norm().clamp(min=1e-6))
        for a, b in zip(*states(one, two), strict=True)
    ]
    assert sorted(differences)[len(differences) // 2] < 1e-3 and max(differences) < 0.2
    for name, value in one["model"].items():
        if "running_" in name:
            assert torch.allclose(value, two["model"][name], rtol=1e-3, atol=1e-4), name
    # The same weights, evaluated by two processes.
    last = single_run / "output/Synthetic-VVI/DinoGRL/DinoGRL/checkpoints/DinoGRL-00004.pt"
    trained(tmp_path, "--cfgs", config, "--phase", "test", "--set", f"evaluator_cfg.restore_hint={last}", world=2)
    path = tmp_path / "output/Synthetic-VVI/DinoGRL/DinoGRL/logs/test-DinoGRL-00004.json"
    measured = json.loads(path.read_text())["results"]
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        assert measured[direction] == pytest.approx(results(single_run)[direction])


def states(*checkpoints: dict) -> list[list[dict]]:
    return [list(content["optimizer"]["state"].values()) for content in checkpoints]


def test_a_resumed_run_equals_an_uninterrupted_one(world, single_run, tmp_path):
    config = write_config(world, tmp_path)
    trained(tmp_path, "--cfgs", config, "--phase", "train", "--set", "trainer_cfg.total_iter=2")
    trained(tmp_path, "--cfgs", config, "--phase", "train", "--iter", "2")
    whole, continued = checkpoint(single_run, 4)["model"], checkpoint(tmp_path, 4)["model"]
    assert whole.keys() == continued.keys()
    for name in whole:
        assert torch.equal(whole[name], continued[name]), name


def test_checkpoints_do_not_include_the_frozen_model(single_run):
    assert not [name for name in checkpoint(single_run, 4)["model"] if "vision_model" in name]


def test_results_have_both_directions(single_run):
    content = results(single_run)
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        assert {"rank1", "rank5", "rank10", "rank20", "map", "minp", "queries", "gallery"} <= content[direction].keys()
    assert 0 < content["chance_rank1"] < 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data_cfg.dataset_root=nowhere", " was not found at"),
        ("model_cfg.vision_model.weights=nowhere.pth", "there is no file nowhere.pth"),
        ("model_cfg.num_classes=9", "add --set model_cfg.num_classes=8"),
        ("trainer_cfg.sampler.sample_type=all_ordered", "sample_type that starts with fixed_"),
        ("model_cfg.gait.widht=8", "widht"),
    ],
)
def test_invalid_settings_are_one_message(world, tmp_path, setting, message):
    done = launch("--cfgs", write_config(world, tmp_path), "--phase", "train", "--set", setting, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
