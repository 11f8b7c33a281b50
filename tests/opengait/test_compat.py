"""Model files written for OpenGait, trained and tested by the command line on one process and on two."""

import json
import logging
import os
from pathlib import Path

import pytest
import torch

from opengait import compat, distributed, main, registry
from opengait.engine.checkpoint import load_checkpoint
from opengait.errors import ConfigError
from opengait.modeling.multidataset_model import MultiDatasets
from tests.opengait import tiny
from tests.opengait.ranks import on_ranks

pytestmark = pytest.mark.slow

FILES = Path(__file__).resolve().parent / "upstream_models"
MODELS = ("Strips", "StripsPP", "OwnLoops", "OwnStart", "SeveralSets")
MODEL_CFG = {
    "backbone_cfg": {"type": "Plain", "layers_cfg": ["BC-4", "M", "BC-6", "M"], "in_channels": 1},
    "bin_num": [4, 1],
    "SeparateFCs": {"in_channels": 6, "out_channels": 5, "parts_num": 5, "comment": "dropped by get_valid_args"},
    "SeparateBNNecks": {"class_num": 8, "in_channels": 5, "parts_num": 5},
}


def configuration(folder: Path, model: str, world: int) -> Path:
    """Write the configuration of a model; run folders are below `folder / "w<world>"`."""
    sections = tiny.config(folder)
    # Relative to the working directory, which differs between worlds, since OwnStart hard-codes "output".
    changes = {
        "extensions": [str(FILES), "tests.opengait.tiny_parts"],
        "trainer_cfg": {
            "output_root": "output",
            "total_iter": 4,
            "log_iter": 2,
            "save_iter": 4,
            "T_max_iter": 3,
            "restore_ckpt_strict": True,
            "with_test": model not in ("OwnLoops", "OwnStart"),
        },
        "evaluator_cfg": {"restore_hint": 4, "sampler": {"batch_size": world}},
        "optimizer_cfg": {"solver": "SGD", "lr": 0.02} | ({"gate_lr": 0.005} if model == "StripsPP" else {}),
        "model_cfg": {"model": model, **MODEL_CFG},
    }
    if model == "SeveralSets":
        entry = sections["data_cfg"]
        changes["data_cfg"] = [{**entry, "dataset_name": name} for name in ("CASIA-B", "Other")]
    # One file per rank, so that no rank reads a file that another rank is writing.
    return tiny.write_config(folder, f"{model}-{world}-{distributed.rank()}.yaml", **changes)


def train_and_test(folder: Path, world: int) -> dict[str, list[float]]:
    """Run both phases of every model as the command line does, and return the sums of the trained weights."""
    os.chdir(folder / f"w{world}")
    torch.set_num_threads(1)
    sums = {}
    for model in MODELS:
        for phase in ("train", "test"):
            arguments = ["--cfgs", str(configuration(folder, model, world)), "--phase", phase]
            main.run(main.parse_arguments(arguments))
            # Separate processes would start the next phase only after rank 0 has written its files.
            torch.distributed.barrier()
        (file,) = Path("output").rglob(f"{checkpoint_folder(model)}/checkpoints/*-00004.pt")
        weights = load_checkpoint(file)["model"]
        sums[model] = [float(value.double().sum()) for value in weights.values()]
    return sums


def checkpoint_folder(model: str) -> str:
    return "own/tiny" if model == "OwnStart" else f"{model}/tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upstream")
    tiny.write_dataset(folder / "data", train_ids=4, test_ids=2, frames=3)
    return folder


@pytest.mark.parametrize("world", [1, 2])
def test_every_kind_of_model_file_trains_and_tests(folder, tmp_path, world):
    (folder / f"w{world}").mkdir()
    ranks = on_ranks(train_and_test, tmp_path, folder, world, world_size=world)
    assert all(sums == ranks[0] for sums in ranks)
    output = folder / f"w{world}" / "output"
    for model in MODELS:
        (file,) = output.rglob(f"{checkpoint_folder(model)}/logs/test-00004.json")
        results = json.loads(file.read_text())["results"]
        assert results["scalar/test_accuracy/size" if model == "OwnLoops" else "scalar/test_accuracy/all"] >= 0
    assert (output / "CASIA-B_Other" / "SeveralSets" / "tiny").is_dir()
    state = load_checkpoint(output / "CASIA-B" / "StripsPP" / "tiny" / "checkpoints" / "tiny-00004.pt")
    assert [group["lr"] for group in state["optimizer"]["param_groups"]] == pytest.approx([0.002, 0.0005])
    assert state["model"]["gates.gates.4.weight"].shape == (5, 5, 1)


def test_classes_of_a_model_folder(caplog):
    with caplog.at_level(logging.INFO, "opengait"):
        classes = compat.load_model_folder(FILES)
    assert [issubclass(getattr(classes, name), classes.BaseModel) for name in MODELS] == [True] * len(MODELS)
    assert issubclass(classes.SeveralSets, MultiDatasets) and classes.StripsPP.__mro__[1] is classes.Strips
    assert not hasattr(classes, "WantsMore")
    assert "wants_more.py: the package 'no_such_package_for_gait' is not installed" in caplog.text


def test_a_missing_package_is_an_error_on_use(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = configuration(folder, "WantsMore", 1)
    with pytest.raises(ConfigError, match="WantsMore is not available.*no_such_package_for_gait"):
        main.run(main.parse_arguments(["--cfgs", str(config)]))
    assert registry.models.get("Strips").__name__ == "Strips"
