"""A small network of every kind of model, with its configuration, data and checkpoint."""

from pathlib import Path

import pytest
import torch
import yaml

from opengait import registry
from opengait.config import load_config
from opengait.engine.test import inference
from tests.opengait_ext.models.biggait.tiny import tiny_config
from tests.opengait_ext.models.biggergait.tiny import model_cfg, write_weights
from tests.opengait_ext.models.vld.tiny import model_cfg as vld_cfg
from tests.opengait_ext.runs.stand_in_runs import command, draw_people
from tests.opengait_ext.world import write_config
from tests.paths import ROOT

MODELS = ("dinogrl", "biggait", "biggergait", "gaitset", "gaitbase")
# Models that neither make nor take silhouettes.
WITHOUT_SILHOUETTES = ("agw", "auxnet", "deen", "m3_reid", "mitml", "vld")
GAIT = {
    "gaitset": {"in_channels": [1, 4, 8, 8], "SeparateFCs": {"in_channels": 8, "out_channels": 8}},
    "gaitbase": {
        "backbone_cfg": {"channels": [4, 8, 8, 8]},
        "SeparateFCs": {"in_channels": 8, "out_channels": 8},
        "SeparateBNNecks": {"class_num": 5, "in_channels": 8},
    },
}


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> Path:
    """Draw people, with silhouettes in OpenGait's layout."""
    folder = tmp_path_factory.mktemp("people")
    draw_people(folder / "data", 3, 2)
    masks = f"data_cfg.mask_root={folder / 'data/silhouettes'}"
    cfgs = ["--cfgs", str(frames_config(folder, folder, "dinogrl")), "--set", masks]
    assert command("given-silhouettes")([*cfgs, "--out", str(folder / "sils")]) == 0
    return folder


def frames_config(people: Path, folder: Path, model: str, model_cfg: dict | None = None, **data) -> Path:
    data = {"dataset_root": str(people / "data"), "frame_size": [64, 32], "num_workers": 0, **data}
    content = {
        "base": str(ROOT / f"configs/{model}/hitsz.yaml"),
        "data_cfg": data,
        "model_cfg": model_cfg or {},
        "evaluator_cfg": {"sampler": {"frames_num_fixed": 3, "sample_type": "fixed_uniform"}},
    }
    path = folder / f"{model}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="session")
def every_model(world, people, tmp_path_factory):
    """Return a function that gives a model's configuration, checkpoint, input folder and descriptors of its test."""
    folder = tmp_path_factory.mktemp("trained")

    def make(name):
        inputs = people / "data/Test"
        if name == "dinogrl":
            path = write_config(world, folder)
            content = yaml.safe_load(path.read_text())
            content["data_cfg"]["dataset_root"] = str(people / "data")
            content["evaluator_cfg"]["sampler"] = {"frames_num_fixed": 3, "sample_type": "fixed_uniform"}
            path.write_text(yaml.safe_dump(content))
        elif name in ("agw", "auxnet"):
            backbone = {"backbone": "resnet10", "width": 8, "weights": None}
            path = frames_config(people, folder, name, {"num_classes": 5, "backbone": backbone})
        elif name == "deen":
            backbone = {"backbone": "resnet10", "width": 4, "weights": None}
            path = frames_config(people, folder, name, {"num_classes": 5, "backbone": backbone})
        elif name == "biggait":
            path = frames_config(people, folder, name, tiny_config())
        elif name == "m3_reid":
            path = frames_config(people, folder, name, {"backbone": "resnet10", "width": 4, "weights": None})
        elif name == "mitml":
            backbone = {"backbone": "resnet10", "width": 4, "weights": None}
            path = frames_config(people, folder, name, {"num_classes": 5, "positions": 3, "backbone": backbone})
        elif name == "vld":
            path = frames_config(people, folder, name, vld_cfg(image_size=(64, 32)))
        elif name == "biggergait":
            path = frames_config(
                people, folder, name, model_cfg(**write_weights(folder), Mask_Branch={"source_dim": 12})
            )
        else:
            inputs = people / "sils/silhouettes-64x64"
            path = frames_config(people, folder, name, GAIT[name], dataset_root=str(inputs), frame_size=None)
            content = yaml.safe_load(path.read_text())
            del content["data_cfg"]["frame_size"], content["evaluator_cfg"]
            content["data_cfg"]["dataset_partition"] = str(people / "sils/silhouettes.json")
            path.write_text(yaml.safe_dump(content))
        cfgs = load_config(path)
        cfgs["evaluator_cfg"]["restore_hint"] = 1 if name == "biggergait" else 0
        torch.manual_seed(0)
        kind = registry.models.get(cfgs["model_cfg"]["model"])
        kind.resume_ckpt, former = lambda *_: None, kind.resume_ckpt
        try:
            model = kind(cfgs, False)
        finally:
            kind.resume_ckpt = former
        model.eval()
        skipped = model.ignored_state_prefixes
        torch.save(
            {"model": {key: value for key, value in model.state_dict().items() if not key.startswith(skipped)}},
            folder / f"{name}.pt",
        )
        with torch.no_grad():
            embeddings = inference(model, 0)["embeddings"]
        return path, folder / f"{name}.pt", inputs, embeddings

    made = {}
    return lambda name: made.get(name) or made.setdefault(name, make(name))
