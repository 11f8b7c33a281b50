"""Rows of Table 3 as configurations: their parts and losses, and a training and test of each."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from opengait.config import load_config
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.given_masks import GivenMasks
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.dinogrl.silhouette import SilhouetteGenerator
from tests.opengait_ext.runs.stand_in_runs import draw_people, engine
from tests.paths import ROOT

pytestmark = pytest.mark.slow

FULL = "hitsz"
ROWS = {"hitsz_baseline": "B", "hitsz_pbmge": "B-PBMGE", "hitsz_sasgl": "B-SASGL"}
GAIT = ["appearance_identity", "appearance_triplet", "gait_identity", "gait_triplet"]
TERMS = {
    "hitsz_baseline": GAIT[:2],
    "hitsz_pbmge": GAIT,
    "hitsz_sasgl": sorted([*GAIT, "mask", "smoothness", "diversity"]),
    FULL: sorted([*GAIT, "mask", "smoothness", "diversity"]),
}
# The descriptor holds the supervised features of each stream: the global one, and one per granularity.
FEATURES = {"hitsz_baseline": 1, "hitsz_pbmge": 10, "hitsz_sasgl": 2, FULL: 10}
PEOPLE = 5


def small(name: str, folder: Path, data: Path | None = None) -> Path:
    """Write a configuration with small parts and frames based on the named one."""
    cfgs = load_config(ROOT / f"configs/dinogrl/{name}.yaml")["model_cfg"]
    part = {"backbone": "resnet10", "weights": None, "width": 8, "strides": [1, 1, 1, 1]}
    vision = {
        "name": "vit_tiny_patch16_224",
        "weights": None,
        "layers": [0, 1],
        "image_size": [64, 32],
        "precision": "float32",
        "arguments": {"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
    }
    model = {"num_classes": PEOPLE, "dimension": 8, "appearance": part}
    if cfgs["gait"] is not None:
        model |= {"gait": part, "silhouette": {"size": [16, 8], "channels": 8}}
    if cfgs["vision_model"] is not None:
        model["vision_model"] = vision
    content = {
        "base": str(ROOT / f"configs/dinogrl/{name}.yaml"),
        "data_cfg": {"dataset_root": str(data), "frame_size": [64, 32], "num_workers": 0},
        "model_cfg": model,
        "trainer_cfg": {
            "output_root": str(folder / "output"),
            "total_iter": 1,
            "save_iter": 1,
            "log_iter": 1,
            "sampler": {"batch_size": [3, 1], "frames_num_fixed": 2},
        },
        "evaluator_cfg": {"restore_hint": 1, "sampler": {"frames_num_fixed": 2}},
    }
    if name == "hitsz_pbmge" and data is not None:
        content["data_cfg"]["mask_root"] = str(data / "silhouettes")
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("name", [*ROWS, FULL])
def test_every_loss_has_an_input_and_every_parameter_a_gradient(name, tmp_path):
    """Distributed training then does not have to search for unused parameters."""
    cfgs = load_config(small(name, tmp_path))
    torch.manual_seed(0)
    net = DinoGRLNet.from_config(cfgs["model_cfg"])
    masks = [(torch.rand(4, 2, 1, 64, 32) < 0.4).float()] if name == "hitsz_pbmge" else []
    output = net(torch.randn(4, 2, 3, 64, 32), torch.tensor([0, 1, 0, 1]), *masks)
    assert output.descriptor.shape == (4, 8, FEATURES[name])
    losses = LossAggregator(cfgs["loss_cfg"])
    terms = loss_terms(output, torch.tensor([0, 0, 1, 1]))
    assert sorted(losses.losses) == sorted(terms) == TERMS[name]
    losses(terms)[0].backward()
    assert not [key for key, parameter in net.named_parameters() if parameter.requires_grad and parameter.grad is None]


@pytest.mark.parametrize(
    ("name", "source", "enhanced"),
    [
        ("hitsz_baseline", None, False),
        ("hitsz_pbmge", GivenMasks, True),
        ("hitsz_sasgl", SilhouetteGenerator, False),
        (FULL, SilhouetteGenerator, True),
    ],
)
def test_the_parts_of_the_network(name, source, enhanced, tmp_path):
    net = DinoGRLNet.from_config(load_config(small(name, tmp_path))["model_cfg"])
    assert type(net.silhouette_generator) is (source or type(None))
    assert (net.enhancement is not None) is enhanced
    assert (net.vision_model is not None) is (source is SilhouetteGenerator)
    assert len(net.appearance_parts.FCs.fc_bin) == (31 if enhanced else 1), "unused stripes are not computed"


@pytest.mark.parametrize("name", ROWS)
def test_the_rest_is_as_in_the_paper(name):
    row, full = (load_config(ROOT / f"configs/dinogrl/{file}.yaml") for file in (name, FULL))
    for section in ("optimizer_cfg", "scheduler_cfg", "extensions"):
        assert row[section] == full[section]
    weights = {cfg["log_prefix"]: cfg for cfg in full["loss_cfg"]}
    assert all(cfg == weights[cfg["log_prefix"]] for cfg in row["loss_cfg"])
    for section in ("trainer_cfg", "evaluator_cfg"):
        assert row[section]["save_name"] == ROWS[name]
        assert row[section]["transform"][0] == full[section]["transform"][0]
        # The save name separates runs, and masks are a second feature; nothing else differs.
        different = {key for key in full[section] if row[section][key] != full[section][key]}
        assert different == {"save_name", "transform"} if name == "hitsz_pbmge" else different == {"save_name"}
    assert row["model_cfg"]["appearance"] == full["model_cfg"]["appearance"]
    assert row["model_cfg"]["gait"] == (None if name == "hitsz_baseline" else full["model_cfg"]["gait"])


def test_the_given_silhouettes_have_sasgs_size_and_width():
    parts = [
        GivenMasks(),
        SilhouetteGenerator(24, **load_config(ROOT / "configs/dinogrl/hitsz.yaml")["model_cfg"]["silhouette"]),
    ]
    assert len({(part.size, part.channels) for part in parts}) == 1


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_people(tmp_path_factory.mktemp("drawn") / "data", train=PEOPLE, test=3)


@pytest.mark.parametrize("name", ROWS)
def test_rows_train_and_test(name, data, tmp_path):
    config = small(name, tmp_path, data)
    with engine(tmp_path) as run:
        assert run(config, "train") == 0
        assert run(config, "test") == 0
    (file,) = (tmp_path / "output").glob(f"HITSZ-VCM/DinoGRL/{ROWS[name]}/logs/test-00001.json")
    results = json.loads(file.read_text())["results"]
    assert results["infrared_to_visible"]["gallery"] == results["visible_to_infrared"]["gallery"] == 6


def test_missing_masks_are_reported(data, tmp_path, capsys):
    config = small("hitsz_pbmge", tmp_path, data)
    with engine(tmp_path) as run:
        assert run(config, "train", "--set", "data_cfg.mask_root=nowhere") == 2
        assert "no folder of masks nowhere" in capsys.readouterr().err
        assert run(config, "train", "--set", "data_cfg.mask_root=null") == 2
    assert "`transform` has 2 entries" in capsys.readouterr().err
