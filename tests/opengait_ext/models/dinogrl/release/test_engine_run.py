"""hitsz_official.yaml and bupt_official.yaml through the engine with small parts: train, resume and test."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from opengait.config import load_config
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.model import loss_terms
from tests.golden.vvi import mini_bupt
from tests.opengait_ext.runs.stand_in_runs import command, draw_people, engine
from tests.paths import ROOT

pytestmark = pytest.mark.slow

VIT = {
    "name": "vit_tiny_patch16_224",
    "weights": None,
    "layers": [0, 1],
    "image_size": [64, 32],
    "arguments": {"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
}


def small(name: str, folder: Path, data: Path, people: int) -> Path:
    """Write a variant of the configuration with small parts and short epochs."""
    part = {"backbone": "resnet10", "weights": None, "width": 8}
    content = {
        "base": str(ROOT / f"configs/dinogrl/{name}.yaml"),
        "data_cfg": {"dataset_root": str(data), "frame_size": [64, 32], "num_workers": 0},
        "model_cfg": {
            "num_classes": people,
            "dimension": 8,
            "granularities": [2, 4],
            "enhancement": {"type": "release", "embedding": 4},
            "appearance": part,
            "vision_model": VIT,
            "silhouette": {"size": [16, 8], "channels": 8, "mask_weights": None},
            "gait": part,
        },
        "scheduler_cfg": {"steps_per_epoch": 2},
        "trainer_cfg": {
            "total_iter": 4,
            "save_iter": 1,
            "log_iter": 1,
            "sampler": {"batch_size": [3, 2], "frames_num_fixed": 2},
        },
        "evaluator_cfg": {"restore_hint": 4, "sampler": {"frames_num_fixed": 2}},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    return draw_people(tmp_path_factory.mktemp("people") / "data", train=5, test=2)


def checkpoint(folder: Path, dataset: str, iteration: int) -> Path:
    return folder / f"output/{dataset}/DinoGRL/DinoGRL-official/checkpoints/DinoGRL-official-{iteration:05d}.pt"


def test_a_run_resumed_within_an_epoch_equals_an_uninterrupted_one(people, tmp_path):
    """With dropout, dropped priors and a schedule in epochs; then test, and export silhouettes."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    config = small("hitsz_official", tmp_path, people, 5)
    with engine(whole) as run:
        assert run(config, "train") == 0
        assert run(config, "test") == 0
    with engine(halves) as run:
        assert run(config, "train", "--set", "trainer_cfg.total_iter=3") == 0
        assert run(config, "train", "--iter", "3") == 0
    one, two = (torch.load(checkpoint(f, "HITSZ-VCM", 4), weights_only=True) for f in (whole, halves))
    assert one["model"].keys() == two["model"].keys()
    assert all(torch.equal(value, two["model"][name]) for name, value in one["model"].items())
    assert one["scheduler"] == two["scheduler"] and one["scheduler"]["iteration"] == 4
    assert one["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.00035 * (0.01 * 0.8 + 0.2))
    results = json.loads((whole / "output/HITSZ-VCM/DinoGRL/DinoGRL-official/logs/test-00004.json").read_text())
    assert results["results"]["infrared_to_visible"]["gallery"] == 4
    out = tmp_path / "silhouettes"
    files = ["--cfgs", str(config), "--checkpoint", str(checkpoint(whole, "HITSZ-VCM", 4)), "--out", str(out)]
    assert command("export-silhouettes")([*files, "--tracklets", "1", "--frames", "2", "--no-gif"]) == 0
    assert len(list(out.rglob("mask/*.png"))) == 2


def test_bupt_trains(tmp_path):
    config = small("bupt_official", tmp_path, mini_bupt.write(tmp_path / "bupt"), len(mini_bupt.TRAIN))
    with engine(tmp_path) as run:
        assert run(config, "train", "--set", "trainer_cfg.total_iter=1") == 0
    assert checkpoint(tmp_path, "BUPTCampus", 1).is_file()


@pytest.mark.parametrize("name", ["hitsz_official", "bupt_official"])
def test_every_loss_has_arguments_and_every_parameter_a_gradient(name, tmp_path):
    """Otherwise distributed training would have to search for unused parameters."""
    cfgs = load_config(small(name, tmp_path, tmp_path, 5))
    torch.manual_seed(0)
    network = DinoGRLNet.from_config(cfgs["model_cfg"]).train()
    terms = loss_terms(network(torch.randn(4, 2, 3, 64, 32), torch.tensor([0, 1, 0, 1])), torch.tensor([0, 0, 1, 1]))
    losses = LossAggregator(cfgs["loss_cfg"])
    assert sorted(losses.losses) == sorted(terms)
    losses(terms)[0].backward()
    assert not [key for key, value in network.named_parameters() if value.requires_grad and value.grad is None]


def test_both_datasets_share_the_releases_settings():
    hitsz, bupt = (load_config(ROOT / f"configs/dinogrl/{name}_official.yaml") for name in ("hitsz", "bupt"))
    for section in ("loss_cfg", "optimizer_cfg", "extensions"):
        assert hitsz[section] == bupt[section]
    assert hitsz["model_cfg"] | {"num_classes": 1074} == bupt["model_cfg"]
    for section in ("trainer_cfg", "evaluator_cfg"):
        assert hitsz[section]["transform"] == bupt[section]["transform"]
    sampler = bupt["trainer_cfg"]["sampler"]
    assert (sampler["batch_size"], sampler["paired"], sampler["cameras"]) == ([8, 2], True, 2)
    assert hitsz["trainer_cfg"]["sampler"]["batch_size"] == [4, 4]
    assert (hitsz["evaluator_cfg"]["camera_rule"], bupt["evaluator_cfg"]["camera_rule"]) == (True, False)
    assert hitsz["trainer_cfg"]["enable_float16"] and not hitsz["evaluator_cfg"]["enable_float16"]
