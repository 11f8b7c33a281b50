"""M3-ReID through the engine with a small backbone: train, resume within and between epochs, test."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from opengait.config import load_config
from tests.golden.vvi import mini_bupt
from tests.opengait_ext.runs.stand_in_runs import draw_people, engine
from tests.paths import ROOT


def small(name: str, folder: Path, data: Path, people: int) -> Path:
    """Write a variant of a configuration with a small backbone and batches of 2 people x 3 tracklets."""
    sampler = {"frames_num_fixed": 2}
    content = {
        "base": str(ROOT / f"configs/m3_reid/{name}.yaml"),
        "data_cfg": {"dataset_root": str(data), "frame_size": [64, 32], "num_workers": 0},
        "model_cfg": {"num_classes": people, "backbone": "resnet10", "weights": None, "width": 8},
        "scheduler_cfg": {"milestones": [2, 3]},
        "trainer_cfg": {
            "total_iter": 4,
            "save_iter": 1,
            "log_iter": 1,
            "sampler": {"batch_size": [2, 3], **sampler},
        },
        "evaluator_cfg": {"restore_hint": 4, "sampler": sampler},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def checkpoint(folder: Path, iteration: int, dataset: str = "HITSZ-VCM") -> dict:
    path = folder / f"output/{dataset}/M3ReID/M3-ReID/checkpoints/M3-ReID-{iteration:05d}.pt"
    return torch.load(path, weights_only=True)


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    """Four people with 4 tracklets each make epochs of two batches."""
    data = draw_people(tmp_path / "data", train=4, test=2)
    config = small("hitsz", tmp_path, data, 4)
    with engine(tmp_path / "whole") as run:
        assert run(config, "train") == 0
        assert run(config, "test") == 0
    whole = checkpoint(tmp_path / "whole", 4)
    for stop in (1, 2):
        with engine(tmp_path / f"halves-{stop}") as run:
            assert run(config, "train", "--set", f"trainer_cfg.total_iter={stop}") == 0
            assert run(config, "train", "--iter", str(stop)) == 0
        continued = checkpoint(tmp_path / f"halves-{stop}", 4)
        assert continued["model"].keys() == whole["model"].keys()
        assert all(torch.equal(value, continued["model"][name]) for name, value in whole["model"].items())
        for part in ("exp_avg", "exp_avg_sq"):
            states = [content["optimizer"]["state"].values() for content in (whole, continued)]
            assert all(torch.equal(one[part], two[part]) for one, two in zip(*states, strict=True))
    assert whole["optimizer"]["param_groups"][0]["lr"] == pytest.approx(2e-6)
    path = tmp_path / "whole/output/HITSZ-VCM/M3ReID/M3-ReID/logs/test-00004.json"
    assert json.loads(path.read_text())["results"]["infrared_to_visible"]["gallery"] == 4


@pytest.mark.slow
def test_bupt_trains(tmp_path):
    config = small("bupt", tmp_path, mini_bupt.write(tmp_path / "bupt"), len(mini_bupt.TRAIN))
    with engine(tmp_path) as run:
        assert run(config, "train", "--set", "trainer_cfg.total_iter=1") == 0
    assert not checkpoint(tmp_path, 1, "BUPTCampus")["model"]["network.neck.bias"].any()


def test_the_recipe():
    hitsz, bupt = (load_config(ROOT / f"configs/m3_reid/{name}.yaml") for name in ("hitsz", "bupt"))
    for cfgs, rate, steps in ((hitsz, 2e-4, 250), (bupt, 1e-4, 268)):
        optimizer = cfgs["optimizer_cfg"]
        assert (optimizer["solver"], optimizer["lr"], optimizer["weight_decay"]) == ("Adam", rate, 5e-4)
        scheduler = cfgs["scheduler_cfg"]
        assert (scheduler["milestones"], scheduler["gamma"]) == ([80 * steps, 120 * steps], 0.1)
        trainer, evaluator = cfgs["trainer_cfg"], cfgs["evaluator_cfg"]
        assert trainer["total_iter"] == evaluator["restore_hint"] == 200 * steps
        assert trainer["sampler"]["batch_size"] == [4, 8] and trainer["enable_float16"]
        samplers = [section["sampler"] for section in (trainer, evaluator)]
        assert [own["sample_type"] for own in samplers] == ["fixed_segment_random", "fixed_segment_first"]
        assert {own["frames_num_fixed"] for own in samplers} == {6}
        assert cfgs["data_cfg"]["frame_size"] == [288, 144]
    assert hitsz["loss_cfg"] == bupt["loss_cfg"] and len(hitsz["loss_cfg"]) == 6
    assert not any("loss_term_weight" in entry or entry.get("label_smooth") for entry in hitsz["loss_cfg"])
    assert (hitsz["model_cfg"]["num_classes"], bupt["model_cfg"]["num_classes"]) == (500, 1074)
