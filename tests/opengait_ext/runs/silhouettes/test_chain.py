"""From synthetic people to gait models: export silhouettes, then train and test GaitSet and GaitBase on them."""

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from opengait import registry
from opengait.config import load_config
from opengait.data.loader import build_loader
from opengait.errors import DataError
from opengait_ext.data.masks import MaskFolder
from opengait_ext.models import DinoGRLNet
from opengait_ext.runs.silhouettes import align_silhouette, choose_tracklets, write_opengait_silhouettes
from opengait_ext.runs.silhouettes.opengait_silhouettes import given_masks
from tests.golden.compare import FOLDER
from tests.opengait_ext.runs.stand_in_runs import command, draw_people, engine
from tests.paths import ROOT

pytestmark = pytest.mark.slow

PEOPLE = {"train": 5, "test": 4}
TRACKLETS = 4  # per person: two cameras, two modalities
MODEL = {
    "model": "DinoGRL",
    "dimension": 8,
    "granularities": [2, 4],
    "num_classes": PEOPLE["train"],
    "appearance": {"backbone": "resnet10", "weights": None, "width": 8, "strides": [1, 1, 2, 1]},
    "vision_model": {
        "name": "vit_tiny_patch16_224",
        "weights": None,
        "layers": [0, 1],
        "image_size": [64, 32],
        "arguments": {"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
    },
    "silhouette": {"size": [16, 8], "priors": 4, "channels": 8},
    "gait": {"backbone": "resnet10", "weights": None, "width": 8, "strides": [1, 1, 2, 1]},
}
SMALL = {
    "gaitset": {"in_channels": [1, 4, 8, 8], "SeparateFCs": {"in_channels": 8, "out_channels": 8}},
    "gaitbase": {
        "backbone_cfg": {"channels": [4, 8, 8, 8]},
        "SeparateFCs": {"in_channels": 8, "out_channels": 8},
        "SeparateBNNecks": {"class_num": PEOPLE["train"], "in_channels": 8},
    },
}
MODELS = {"gaitset": "GaitSet", "gaitbase": "Baseline"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_people(tmp_path_factory.mktemp("drawn") / "data", **PEOPLE)


def write(path: Path, content: dict) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def configuration(data) -> Path:
    """Write hitsz.yaml for the synthetic people."""
    frames = {"dataset_name": "Drawn", "test_dataset_name": "Drawn", "dataset_root": str(data), "frame_size": [64, 32]}
    content = {"base": str(ROOT / "configs/dinogrl/hitsz.yaml"), "data_cfg": frames, "model_cfg": MODEL}
    return write(data.parent / "dinogrl.yaml", content)


@pytest.fixture(scope="module")
def checkpoint(data) -> Path:
    """Save an untrained network with scaled weights, since its masks would be nearly uniform otherwise."""
    torch.manual_seed(3)
    network = DinoGRLNet.from_config(MODEL)
    with torch.no_grad():
        network.silhouette_generator.mask_encoder.down_sampling.weight.mul_(8)
    path = data.parent / "untrained.pt"
    torch.save({"model": {f"network.{key}": value for key, value in network.state_dict().items()}}, path)
    return path


@pytest.fixture(scope="module")
def exported(configuration, checkpoint, tmp_path_factory) -> Path:
    """Export both splits into one folder."""
    out = tmp_path_factory.mktemp("exported") / "out"
    arguments = ["--cfgs", str(configuration), "--checkpoint", str(checkpoint), "--device", "cpu", "--out", str(out)]
    for split in PEOPLE:
        assert command("export-silhouettes")([*arguments, "--split", split, "--no-gif", "--pkl"]) == 0
    return out


@pytest.fixture(scope="module")
def given(configuration, data, tmp_path_factory) -> Path:
    """Write silhouette folders of both splits from the true silhouettes."""
    out = tmp_path_factory.mktemp("given") / "out"
    arguments = ["--cfgs", str(configuration), "--out", str(out), "--set", f"data_cfg.mask_root={data / 'silhouettes'}"]
    for split in PEOPLE:
        assert command("given-silhouettes")([*arguments, "--split", split]) == 0
    return out


def gait_config(folder: Path, model: str, silhouettes: Path) -> Path:
    """Write configs/<model>/hitsz.yaml with few channels and iterations."""
    content = {
        "base": str(ROOT / f"configs/{model}/hitsz.yaml"),
        "data_cfg": {
            "dataset_root": str(silhouettes / "silhouettes-64x64"),
            "dataset_partition": str(silhouettes / "silhouettes.json"),
            "test_dataset_name": "Drawn",
            "num_workers": 0,
        },
        "model_cfg": SMALL[model],
        "trainer_cfg": {
            "total_iter": 2,
            "save_iter": 2,
            "log_iter": 1,
            "sampler": {"batch_size": [3, 2], "frames_num_fixed": 4},
        },
        "evaluator_cfg": {"restore_hint": 2},
    }
    return write(folder / f"{model}.yaml", content)


@pytest.mark.parametrize(("model", "upstream"), [("gaitset", "gaitset"), ("gaitbase", "gaitbase_da_casiab")])
def test_networks_are_those_of_opengait(model, upstream):
    golden = json.loads((FOLDER / "opengait" / f"{model}.json").read_text())
    casia, hitsz = (load_config(ROOT / f"configs/{model}/{name}.yaml")["model_cfg"] for name in (upstream, "hitsz"))
    assert casia == golden["model_cfg"]
    if model == "gaitbase":
        assert hitsz["SeparateBNNecks"].pop("class_num") == 500
        del casia["SeparateBNNecks"]["class_num"]
    assert hitsz == casia


def test_both_splits_share_one_folder(given):
    partition = json.loads((given / "silhouettes.json").read_text())
    assert partition == {
        "TRAIN_SET": [f"{person:04d}" for person in range(1, 6)],
        "TEST_SET": [f"{person:04d}" for person in range(501, 505)],
    }
    assert len(list((given / "silhouettes-64x64").glob("*/*/*/*.pkl"))) == TRACKLETS * sum(PEOPLE.values())
    assert {folder.name for folder in (given / "silhouettes-64x64").glob("*/*")} == {"visible", "infrared"}


def test_given_masks_are_aligned_like_exported_ones(given, data):
    (path,) = (given / "silhouettes-64x64" / "0502" / "infrared").glob("c2-*/*.pkl")
    stack = pickle.loads(path.read_bytes())  # noqa: S301 - written above
    masks = sorted((data / "silhouettes/Test/0502/ir/D2").glob("*.png"), key=lambda file: int(file.stem))
    folder = MaskFolder(data / "silhouettes", data)
    expected = [align_silhouette(folder.read(mask, (64, 32))[0]) for mask in masks]
    np.testing.assert_array_equal(stack, np.stack([picture for picture in expected if picture is not None]))


@pytest.mark.parametrize("model", MODELS)
def test_batch_has_both_modalities_of_every_person(given, model):
    """A sampler that ignores modalities would not guarantee this."""
    cfgs = load_config(gait_config(given, model, given))
    dataset = registry.datasets.get("DataSet")(cfgs["data_cfg"], True)
    loader = build_loader(dataset, cfgs["trainer_cfg"]["sampler"], [lambda frames: frames], training=True, seed=0)
    batch = next(iter(loader))
    drawn = sorted(zip(batch[1], batch[2], strict=True))
    assert len(set(batch[1])) == 3
    assert drawn == sorted((label, kind) for label in set(batch[1]) for kind in ("infrared", "visible") * 2)
    assert batch[0][0].shape == (12, 4, 64, 64)


@pytest.mark.parametrize(("model", "source"), [("gaitset", "exported"), ("gaitbase", "exported"), ("gaitset", "given")])
def test_train_and_test_in_both_directions(request, model, source, tmp_path, capsys):
    config = gait_config(tmp_path, model, request.getfixturevalue(source))
    with engine(tmp_path) as run:
        assert run(config, "train") == 0
        assert run(config, "test") == 0
    logged = capsys.readouterr()
    assert all(way in logged.out + logged.err for way in ("infrared to visible", "visible to infrared"))
    (file,) = (tmp_path / "output").glob(f"HITSZ-VCM-silhouettes/{MODELS[model]}/*/logs/test-00002.json")
    results = json.loads(file.read_text())["results"]
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        assert 0 <= results[direction]["rank1"] <= 1
        assert 0 < results[direction]["gallery"] <= 2 * PEOPLE["test"]


def test_error_for_too_few_classes(given, tmp_path, capsys):
    config = gait_config(tmp_path, "gaitbase", given)
    with engine(tmp_path) as run:
        assert run(config, "train", "--set", "model_cfg.SeparateBNNecks.class_num=4") == 2
    error = capsys.readouterr().err
    assert "5 identities" in error and "4 classes" in error


def test_empty_masks_remove_earlier_silhouettes(given, configuration, data):
    one = choose_tracklets(load_config(configuration)["data_cfg"], "test", tracklets=1)
    path = given / "silhouettes-64x44" / one[0].folder / f"{one[0].view}.pkl"
    masks = given_masks(MaskFolder(data / "silhouettes", data), (64, 32))
    try:
        empty = [np.zeros((64, 32), np.uint8)]
        done = write_opengait_silhouettes(given, one, masks=lambda tracklet: empty, progress=False)
        assert (done.tracklets, done.empty_tracklets) == (0, 1) and not path.exists()
    finally:
        write_opengait_silhouettes(given, one, masks=masks, progress=False)
    assert path.exists()


def test_errors_of_given_masks(exported, configuration, data, capsys):
    arguments = ["--cfgs", str(configuration), "--out", str(exported)]
    given_silhouettes = command("given-silhouettes")
    assert given_silhouettes(arguments) == 2
    assert "data_cfg.mask_root=PATH" in capsys.readouterr().err
    assert given_silhouettes([*arguments, "--set", f"data_cfg.mask_root={data / 'silhouettes'}"]) == 2
    assert "holds the export of a network" in capsys.readouterr().err
    first = choose_tracklets(load_config(configuration)["data_cfg"], "test", tracklets=1)[0]
    no_files = dataclasses.replace(first, paths=())
    with pytest.raises(DataError, match="has no image files"):
        given_masks(MaskFolder(data / "silhouettes", data), (64, 32))(no_files)
