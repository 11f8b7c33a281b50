"""The benchmark's configurations differ in the method and in nothing else."""

from typing import Any

import pytest
import torch

from opengait.config import load_config
from opengait_ext.models.biggait.network import BigGaitNet
from opengait_ext.models.biggergait.network import BiggerGaitNet
from opengait_ext.models.dinogrl.network import DinoGRLNet
from opengait_ext.models.m3_reid.network import M3ReIDNet
from tests.paths import ROOT

FOLDER = ROOT / "configs/benchmark"
METHODS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "common")
# Settings of small networks, in which the benchmark's DinoGRL differs from the published one.
SIZES = {
    *("dimension", "num_classes", "appearance.backbone", "appearance.strides", "appearance.weights"),
    *("appearance.width", "gait.backbone", "gait.strides", "gait.weights", "gait.width", "silhouette.channels"),
    *("silhouette.hidden", "silhouette.mask_weights", "silhouette.size", "vision_model.arguments"),
    *("vision_model.image_size", "vision_model.layers", "vision_model.name", "vision_model.weights"),
    "vision_model.precision",
}


def config(name: str) -> dict[str, Any]:
    return load_config(FOLDER / f"{name}.yaml")


def leaves(value: Any, at: str = "") -> dict[str, Any]:
    """Return the values below a mapping by dotted key."""
    if not isinstance(value, dict) or at.endswith(".arguments"):
        return {at: value}
    found: dict[str, Any] = {}
    for key, entry in value.items():
        found |= leaves(entry, f"{at}.{key}" if at else key)
    return found


@pytest.mark.parametrize("name", METHODS)
def test_all_methods_see_the_same_number_of_tracklets_and_frames(name):
    cfgs, reference = config(name), config("dinogrl")
    for section in ("trainer_cfg", "evaluator_cfg"):
        ours, theirs = dict(cfgs[section]["sampler"]), dict(reference[section]["sampler"])
        for key in ("type", "batch_size", "sample_type", "frames_num_fixed"):
            assert ours[key] == theirs[key], key
    for key in ("total_iter", "save_iter", "seed", "enable_float16", "output_root"):
        assert cfgs["trainer_cfg"][key] == reference["trainer_cfg"][key], key
    for key in ("restore_hint", "eval_func", "metric", "camera_rule", "enable_float16"):
        assert cfgs["evaluator_cfg"][key] == reference["evaluator_cfg"][key], key
    assert cfgs["scheduler_cfg"] == reference["scheduler_cfg"]
    assert cfgs["trainer_cfg"]["save_name"] == name


def test_the_release_is_the_published_one_but_for_its_size():
    ours, theirs = config("dinogrl_release"), load_config(ROOT / "configs/dinogrl/hitsz_official.yaml")
    pairs = [leaves(cfgs["model_cfg"]) for cfgs in (ours, theirs)]
    differing = {key for key in pairs[0].keys() | pairs[1].keys() if pairs[0].get(key) != pairs[1].get(key)}
    assert {key for key in differing if not key.startswith("lge.")} <= SIZES
    assert ours["loss_cfg"] == theirs["loss_cfg"]


def test_the_papers_network_and_losses_are_those_of_the_demo():
    ours, demo = config("dinogrl"), load_config(ROOT / "configs/dinogrl/demo.yaml")
    pairs = [leaves(cfgs["model_cfg"]) for cfgs in (ours, demo)]
    differing = {key for key in pairs[0] if pairs[0][key] != pairs[1].get(key)}
    assert differing <= {"num_classes", "appearance.weights", "gait.weights"}
    assert pairs[0].keys() == pairs[1].keys()
    assert ours["loss_cfg"] == demo["loss_cfg"]


@pytest.mark.parametrize("name", ["baseline", "both", "dinogrl", "dinogrl_release"])
def test_dinogrl_builds_and_describes(name):
    cfgs = config(name)
    network = DinoGRLNet.from_config(cfgs["model_cfg"]).eval()
    frames = torch.randn(2, 1, 3, *cfgs["data_cfg"]["frame_size"])
    masks = (torch.ones(2, 1, 1, *cfgs["data_cfg"]["frame_size"]),) if name == "both" else ()
    with torch.no_grad():
        assert network(frames, torch.tensor([0, 1]), *masks).descriptor.shape[:2] == (2, 64)


def test_m3_reid_has_the_size_of_dinogrls_appearance_stream():
    cfgs = config("m3_reid")
    network = M3ReIDNet.from_config(cfgs["model_cfg"]).eval()
    stream = DinoGRLNet.from_config(config("dinogrl")["model_cfg"]).appearance
    weights = [own.stages.layer4[0].conv2.weight for own in (network, stream)]
    assert torch.equal(*weights)
    with torch.no_grad():
        output = network(torch.randn(2, 2, 3, *cfgs["data_cfg"]["frame_size"]))
    assert output.descriptor.shape == (2, 6 * 128, 1)


@pytest.mark.parametrize(("name", "network"), [("biggait", BigGaitNet), ("biggergait", BiggerGaitNet)])
def test_the_gait_models_build_on_the_same_vision_model(name, network):
    model_cfg = config(name)["model_cfg"]
    model_cfg["pretrained_mask_branch"] = None
    built = network.from_config(model_cfg).eval()
    reference = DinoGRLNet.from_config(config("dinogrl")["model_cfg"])
    frames = torch.randn(1, 2, 3, 128, 64)
    vision_model = built.backbone if name == "biggait" else built.Backbone
    with torch.no_grad():
        expected = reference.vision_model(frames[0])
        assert torch.equal(vision_model(frames[0]).layers, expected.layers)
        assert built(frames).embeddings.shape[:2] == (1, 64)
