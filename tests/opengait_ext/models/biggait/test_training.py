"""BigGait through the engine's command line with both kinds of data, and its configurations."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from opengait import distributed
from opengait.config import load_config
from opengait.errors import ConfigError
from opengait.extensions import load_extensions
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.biggait.model import BigGait__Dinov2_Gaitbase, training_terms
from opengait_ext.models.biggait.network import BigGaitNet
from tests.golden import seeded
from tests.opengait.tiny import trained
from tests.opengait_ext.models.biggait.tiny import tiny_config, tiny_frames, tiny_network
from tests.opengait_ext.runs.stand_in_runs import draw_people, engine
from tests.paths import ROOT

pytestmark = pytest.mark.slow

SMALL_VISION_MODEL = {
    "name": "vit_tiny_patch16_224",
    "layers": [0, 1, 2, 3],
    "arguments": {"patch_size": 8, "embed_dim": 64, "depth": 4, "num_heads": 4},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Write drawn tracklets, RGB pickles with ratios in OpenGait's layout, and a mask branch's file."""
    folder = tmp_path_factory.mktemp("world")
    draw_people(folder / "tracklets", train=6, test=4)
    write_pickles(folder / "pickles")
    ids = [f"{number:03d}" for number in range(6)]
    (folder / "partition.json").write_text(json.dumps({"TRAIN_SET": ids[:4], "TEST_SET": ids[4:]}))
    torch.save(
        {"model": tiny_network(7, **small_vision_model()).Mask_Branch.state_dict()}, folder / "MaskBranch_tiny.pt"
    )
    return folder


def write_pickles(root: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        for kind in ("nm-01", "nm-02"):
            for view in ("000", "090"):
                folder = root / f"{number:03d}" / kind / view
                folder.mkdir(parents=True)
                frames = rng.integers(0, 120, (4 + number % 3, 3, 64, 32), dtype=np.uint8)
                frames[:, :, 8 * number : 8 * number + 16, 8:24] += 120
                for name, content in (("aligned-rgbs", frames), ("ratios", rng.uniform(0.3, 0.7, len(frames)))):
                    with (folder / f"{view}-{name}.pkl").open("wb") as file:
                        pickle.dump(content, file)


def small_vision_model() -> dict[str, Any]:
    """Return settings for the demo's small vision model, with frames of 192 x 96."""
    branch = {"source_dim": 256}
    return {
        "image_size": 96,
        "pretrained_dinov2": str(ROOT / "pretrained/synthetic_vit.safetensors"),
        "vision_model": SMALL_VISION_MODEL,
        "Mask_Branch": {"source_dim": 64},
        "Denoising_Branch": branch,
        "Appearance_Branch": branch,
    }


def write_config(world: Path, folder: Path, base: str, model: dict[str, Any] | None = None, **trainer: Any) -> Path:
    """Write a small variant of a shipped configuration with the paths of a test."""
    raw = base != "ccpg"
    mask = {"pretrained_mask_branch": str(world / "MaskBranch_tiny.pt"), "mask_branch_iteration": 2}
    content: dict[str, Any] = {
        "base": str(ROOT / f"configs/biggait/{base}.yaml"),
        "extensions": ["opengait_ext", "tests.opengait.tiny_parts"],
        "data_cfg": {
            "dataset_name": "Tiny",
            "test_dataset_name": "Tiny",
            "dataset_root": str(world / ("tracklets" if raw else "pickles")),
            "dataset_partition": str(world / "partition.json"),
            "num_workers": 0,
        },
        "model_cfg": tiny_config(**small_vision_model()) | mask | (model or {}),
        "trainer_cfg": {
            "output_root": str(folder / "output"),
            "with_test": False,
            "save_iter": 1,
            "log_iter": 1,
            "total_iter": 4,
        },
        "optimizer_cfg": {"lr": 0.01},
        "evaluator_cfg": {"restore_hint": 4, "eval_func": "evaluate_cross_modal" if raw else "nearest_other"},
    }
    if raw:
        content["data_cfg"]["frame_size"] = [64, 32]
        content["evaluator_cfg"]["resamples"] = 0
    content["trainer_cfg"]["sampler"] = {"batch_size": [3, 1] if raw else [3, 2], "frames_num_fixed": 2}
    content["trainer_cfg"] |= trainer
    path = folder / f"{base}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def checkpoint(folder: Path, iteration: int) -> dict[str, Any]:
    path = f"output/Tiny/BigGait__Dinov2_Gaitbase/BigGait/checkpoints/BigGait-{iteration:05d}.pt"
    return torch.load(folder / path, weights_only=True)


def results(folder: Path) -> dict[str, Any]:
    files = sorted((folder / "output/Tiny/BigGait__Dinov2_Gaitbase/BigGait").rglob("test-*.json"))
    return json.loads(files[-1].read_text())["results"]


@pytest.fixture(scope="module")
def single_run(world, tmp_path_factory) -> Path:
    """Train and test one process on raw tracklets."""
    folder = tmp_path_factory.mktemp("single_run")
    config = write_config(world, folder, "hitsz")
    with engine(folder) as run:
        assert run(config, "train", "--log_to_file") == 0
        assert run(config, "test") == 0
    return folder


def mask_of(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    prefix = "Mask_Branch."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def test_checkpoints_have_upstreams_names(single_run):
    names = list(checkpoint(single_run, 1)["model"])
    network = tiny_network(**small_vision_model())
    assert set(names) == set(network.state_dict())
    assert {name.partition(".")[0] for name in names} == {
        "Denoising_Branch",
        "Appearance_Branch",
        "Mask_Branch",
        "gait_net",
        "backbone",
    }
    assert not any(name.startswith("network.") or ".transformer." in name for name in names)
    network.load_state_dict(checkpoint(single_run, 4)["model"])


def test_the_vision_model_keeps_its_files_values(single_run):
    pretrained = load_file(ROOT / "pretrained/synthetic_vit.safetensors")
    saved = checkpoint(single_run, 4)["model"]
    assert all(torch.equal(saved[f"backbone.{name}"], value) for name, value in pretrained.items())


def test_the_networks_own_losses_are_weighted():
    output = tiny_network().train()(tiny_frames(2, 2))
    terms = training_terms(output, torch.zeros(2))
    recorded = json.loads((ROOT / "tests/golden/opengait/biggait.json").read_text())["train_iteration_600_losses"]
    assert list(terms) == [*recorded, "triplet", "softmax"]
    weights = {"shape_connect": 0.02, "shape_mse": 1, "part_connect": 0.01, "part_diversity": 5}
    for name, weight in weights.items():
        assert terms[name].item() == pytest.approx(weight * output.maps.losses[name].item())


def test_the_mask_branch_learns_and_is_then_replaced_and_frozen(single_run, world):
    pretrained = torch.load(world / "MaskBranch_tiny.pt", weights_only=True)["model"]
    masks = [mask_of(checkpoint(single_run, number)["model"]) for number in (1, 2, 3, 4)]
    assert not same(masks[0], masks[1])
    assert not same(masks[1], pretrained)
    assert same(masks[2], pretrained) and same(masks[3], pretrained)
    others = [checkpoint(single_run, number)["model"]["gait_net.FCs.fc_bin"] for number in (2, 3)]
    assert not torch.equal(*others)


def test_the_losses_are_logged_under_upstreams_names(single_run):
    # The first log is that of the training.
    log = min((single_run / "output").rglob("logs/*.txt")).read_text()
    line = next(line for line in log.splitlines() if "Iteration 00001" in line)
    names = [part.partition("=")[0] for part in line.split(", ")[2:]]
    assert names[:5] == ["shape_connect", "shape_mse", "part_connect", "part_diversity", "triplet_loss"]
    assert {"softmax_loss", "softmax_accuracy"} <= set(names)


def test_both_directions_are_evaluated(single_run):
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        assert results(single_run)[direction]["queries"] == 8 and results(single_run)[direction]["map"] > 0


def test_a_run_resumes_across_the_freezing(world, single_run, tmp_path):
    config = write_config(world, tmp_path, "hitsz")
    with engine(tmp_path) as run:
        assert run(config, "train", "--set", "trainer_cfg.total_iter=2") == 0
        assert run(config, "train", "--iter", "2") == 0
    assert same(checkpoint(single_run, 4)["model"], checkpoint(tmp_path, 4)["model"])


def test_two_processes_train_like_one(world, tmp_path):
    """There is no dropout, and one of the four tracklets loses a map, the same in both runs.

    There are two tracklets per rank because with two in total, the norm before the classifiers would leave nothing of
    the gradients but rounding errors.
    """
    model = {"Mask_Branch": tiny_config(**small_vision_model())["Mask_Branch"] | {"p": 0}}
    sampler = {"batch_size": [2, 1], "frames_num_fixed": 2}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name, processes in (("one", 0), ("two", 2)):
        config = write_config(world, tmp_path / name, "hitsz", model, sampler=sampler, total_iter=3)
        if processes:
            trained(tmp_path / name, "--cfgs", config, "--phase", "train", world=2)
        else:
            with engine(tmp_path / name) as run:
                assert run(config, "train") == 0
    one, two = checkpoint(tmp_path / "one", 1), checkpoint(tmp_path / "two", 1)
    # After one step, momentum is the gradient. Rounding may move a maximum, so a few entries may differ. A bias before
    # a norm has a gradient of zero up to rounding, and all others are larger than a thousandth.
    states = [list(content["optimizer"]["state"].values()) for content in (one, two)]
    differences = [
        float((a["momentum_buffer"] - b["momentum_buffer"]).norm() / a["momentum_buffer"].norm().clamp(min=1e-3))
        for a, b in zip(*states, strict=True)
    ]
    assert len(differences) > 30 and sorted(differences)[len(differences) // 2] < 1e-4 and max(differences) < 0.02
    for name, value in one["model"].items():
        if "running_" in name:
            assert torch.allclose(value, two["model"][name], rtol=1e-3, atol=1e-4), name
    # Once frozen, the mask branch has no gradient on any rank.
    pretrained = torch.load(world / "MaskBranch_tiny.pt", weights_only=True)["model"]
    assert same(mask_of(checkpoint(tmp_path / "two", 3)["model"]), pretrained)


def test_rgb_pickles_with_and_without_ratios(world, tmp_path):
    sampler = {
        "batch_size": [3, 2],
        "sample_type": "unfixed_unordered",
        "frames_num_min": 2,
        "frames_num_max": 4,
    }
    config = write_config(world, tmp_path, "ccpg", sampler=sampler, total_iter=3)
    # Use the mask learned here, since the file's random one may exclude all padding by itself.
    weights = "evaluator_cfg.restore_hint=1"
    without = [
        "data_cfg.data_in_use=[0]",
        "evaluator_cfg.transform=[{type: BaseRgbTransform}]",
        "trainer_cfg.transform=[{type: BaseRgbTransform}]",
    ]
    measured = []
    with engine(tmp_path) as run:
        assert run(config, "train") == 0
        for settings in ([], without):
            arguments = [word for setting in (weights, *settings) for word in ("--set", setting)]
            assert run(config, "test", *arguments) == 0
            measured.append(results(tmp_path)["checksum"])
    # The ratios determine which pixels are padding, so the results differ.
    assert all(np.isfinite(measured)) and measured[0] != measured[1]
    first, last = (checkpoint(tmp_path, number)["model"]["gait_net.FCs.fc_bin"] for number in (1, 3))
    assert not torch.equal(first, last)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model_cfg.pretrained_mask_branch=nowhere/MaskBranch_vits14.pt", "there is no file nowhere/MaskBranch_vits14"),
        ("model_cfg.pretrained_mask_branch=pretrained/synthetic_vit.safetensors.pt", "there is no file"),
        ("model_cfg.pretrained_dinov2=nowhere.pth", "there is no file nowhere.pth"),
        ("model_cfg.mask_branch_iteration=-1", "mask_branch_iteration is -1"),
        ("model_cfg.Mask_Branch.source_dim=384", "Mask_Branch.source_dim is 384"),
    ],
)
def test_invalid_settings_are_one_message(world, tmp_path, capsys, setting, message):
    with engine(tmp_path) as run:
        assert run(write_config(world, tmp_path, "hitsz"), "train", "--set", setting) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error and error.startswith("error: ")


def test_a_mask_branch_of_another_width_is_refused_at_the_start(world, tmp_path, capsys):
    torch.save({"model": tiny_network().Mask_Branch.state_dict()}, tmp_path / "other.pt")
    with engine(tmp_path) as run:
        config = write_config(world, tmp_path, "hitsz", {"pretrained_mask_branch": str(tmp_path / "other.pt")})
        assert run(config, "train") == 2
    assert "does not fit BigGait's mask branch" in capsys.readouterr().err


def test_trained_parts_are_initialised_by_the_engines_rule(world, tmp_path):
    network = BigGait__Dinov2_Gaitbase(load_config(write_config(world, tmp_path, "hitsz")), True).network
    for name, parameter in network.named_parameters():
        if name.endswith("bias") and not name.startswith("backbone."):
            assert not parameter.any(), name
    norm = network.gait_net.pre_part.forward_block.bn1.weight
    assert norm.unique().numel() > 1 and (norm - 1).abs().max() < 0.2


def test_several_processes_need_find_unused_parameters(world, tmp_path, monkeypatch):
    cfgs = load_config(write_config(world, tmp_path, "hitsz", find_unused_parameters=False))
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with pytest.raises(ConfigError, match="find_unused_parameters"):
        BigGait__Dinov2_Gaitbase(cfgs, True)


def test_silhouettes_instead_of_frames_are_refused(world, tmp_path):
    model = BigGait__Dinov2_Gaitbase(load_config(write_config(world, tmp_path, "hitsz", restore_hint=0)), True)
    with pytest.raises(ConfigError, match=r"RGB frames \[n, s, 3, h, w\]"):
        model(([torch.zeros(1, 2, 64, 44)], torch.zeros(1), ["visible"], ["c1-t1"], None))


def test_a_mask_branch_is_read_from_a_whole_checkpoint(single_run, world, tmp_path):
    path = next(single_run.rglob("BigGait-00001.pt"))
    config = write_config(world, tmp_path, "hitsz", {"pretrained_mask_branch": str(path), "mask_branch_iteration": 0})
    model = BigGait__Dinov2_Gaitbase(load_config(config), True)
    model.load_pretrained_mask()
    assert same(model.network.Mask_Branch.state_dict(), mask_of(checkpoint(single_run, 1)["model"]))


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory) -> str:
    """Write the golden recipe's values in the format of dinov2_vits14_pretrain.pth."""
    shapes = json.loads((ROOT / "tests/golden/opengait/dinov2_vits14.json").read_text())["state"]
    values = {name: seeded.state_value(name, tuple(shape)).astype(np.float32) for name, shape in shapes.items()}
    path = tmp_path_factory.mktemp("pretrained") / "dinov2_vits14_pretrain.pth"
    torch.save({name: torch.from_numpy(value) for name, value in values.items()}, path)
    return str(path)


@pytest.mark.parametrize(("name", "classes"), [("ccpg", 100), ("hitsz", 500), ("bupt", 1074)])
def test_shipped_configurations(name, classes, dinov2):
    path = ROOT / f"configs/biggait/{name}.yaml"
    cfgs = load_config(path)
    load_extensions(cfgs["extensions"], path.parent)
    assert set(LossAggregator(cfgs["loss_cfg"]).losses) == {"triplet", "softmax"}
    assert cfgs["trainer_cfg"]["find_unused_parameters"] and cfgs["trainer_cfg"]["sync_BN"]
    golden = json.loads((ROOT / "tests/golden/opengait/biggait.json").read_text())["model_cfg"]
    for key in set(golden) - {"SeparateBNNecks"}:
        assert cfgs["model_cfg"][key] == golden[key], key
    assert cfgs["model_cfg"]["SeparateBNNecks"]["class_num"] == classes
    if name == "hitsz":
        network = BigGaitNet.from_config(cfgs["model_cfg"] | {"pretrained_dinov2": dinov2}).eval()
        with torch.no_grad():
            assert network(torch.randn(1, 1, 3, 256, 128)).embeddings.shape == (1, 256, 16)


@pytest.mark.parametrize("name", ["hitsz", "bupt"])
def test_the_protocol_is_that_of_dinogrl(name):
    ours, theirs = (load_config(ROOT / f"configs/{model}/{name}.yaml") for model in ("biggait", "dinogrl"))
    for section, keys in (
        ("data_cfg", ("dataset_name", "reader", "dataset_root", "frame_size")),
        ("trainer_cfg", ("total_iter", "save_iter", "sync_BN")),
        ("evaluator_cfg", ("eval_func", "metric", "camera_rule", "transform", "restore_hint", "population")),
    ):
        for key in keys:
            assert ours[section].get(key) == theirs[section].get(key), (section, key)
    for section in ("trainer_cfg", "evaluator_cfg"):
        for key in ("type", "batch_size", "sample_type", "frames_num_fixed", "paired"):
            assert ours[section]["sampler"].get(key) == theirs[section]["sampler"].get(key), (section, key)
