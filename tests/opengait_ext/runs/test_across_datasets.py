"""Networks trained on HITSZ-VCM's layout and tested on BUPTCampus's, and the reverse, for every method."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from opengait.config import load_config
from opengait_ext.evaluation.protocol import PROTOCOLS
from tests.golden.vvi import mini_bupt
from tests.opengait_ext.every_model import GAIT
from tests.opengait_ext.models.biggait.tiny import tiny_config
from tests.opengait_ext.models.biggergait.tiny import model_cfg, write_weights
from tests.opengait_ext.runs.stand_in_runs import command, engine
from tests.opengait_ext.world import write_config
from tests.paths import ROOT

pytestmark = pytest.mark.slow
NAMES = {"hitsz": "HITSZ-VCM", "bupt": "BUPTCampus"}
CLASSES = {"hitsz": 3, "bupt": len(mini_bupt.TRAIN)}
OTHER = {"hitsz": "bupt", "bupt": "hitsz"}


@pytest.fixture(scope="module")
def configs(world, people, tmp_path_factory):
    """Return a function that writes the small configuration of a method on one of the two datasets."""
    folder = tmp_path_factory.mktemp("across")
    bupt = mini_bupt.write(folder / "bupt")
    roots = {"hitsz": people / "data", "bupt": bupt}
    small = write_config(world, folder)
    networks = {
        "dinogrl": load_config(small)["model_cfg"],
        "biggait": tiny_config(pretrained_mask_branch=None),
        "biggergait": model_cfg(**write_weights(folder), Mask_Branch={"source_dim": 12}),
        **GAIT,
    }

    def write(model: str, dataset: str, **data) -> Path:
        classes = {"num_classes": CLASSES[dataset]}
        if model != "dinogrl":
            necks = networks[model].get("SeparateBNNecks", {})
            classes = {"SeparateBNNecks": {**necks, "class_num": CLASSES[dataset]}} if necks else {}
        data = {"dataset_root": str(roots[dataset]), "num_workers": 0, **data}
        if model not in GAIT:
            data = {"frame_size": [64, 32], **data}
        content = {
            "base": str(ROOT / f"configs/{model}/{dataset}.yaml"),
            "data_cfg": data,
            "model_cfg": {**networks[model], **classes},
            "trainer_cfg": {
                "total_iter": 1,
                "save_iter": 1,
                "enable_float16": False,
                "sampler": {"batch_size": [2, 1], "frames_num_fixed": 2},
            },
            "evaluator_cfg": {"restore_hint": 1, "sampler": {"frames_num_fixed": 3 if dataset == "hitsz" else 4}},
        }
        path = folder / f"{model}-{dataset}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    def silhouettes(dataset: str) -> dict[str, str]:
        out = folder / f"silhouettes-{dataset}"
        if not out.is_dir():
            cfgs = write("dinogrl", dataset)
            with engine(folder / "silhouettes") as run:
                assert run(cfgs, "train") == 0
            (checkpoint,) = (folder / "silhouettes/output").glob(f"{NAMES[dataset]}/*/*/checkpoints/*.pt")
            options = ["--cfgs", str(cfgs), "--checkpoint", str(checkpoint), "--no-gif", "--pkl", "--out", str(out)]
            for split in ("train", "test"):
                assert command("export-silhouettes")([*options, "--split", split]) == 0
        return {
            "dataset_root": str(out / "silhouettes-64x64"),
            "dataset_partition": str(out / "silhouettes.json"),
        }

    return lambda model, dataset: write(model, dataset, **(silhouettes(dataset) if model in GAIT else {}))


def read(file: Path) -> dict:
    return json.loads(file.read_text())


@pytest.mark.parametrize("trained", sorted(NAMES))
@pytest.mark.parametrize("model", ["dinogrl", "biggait", "biggergait", "gaitbase"])
def test_a_network_is_tested_on_the_other_dataset(configs, model, trained, tmp_path, capsys):
    tested = OTHER[trained]
    own, other = configs(model, trained), configs(model, tested)
    with engine(tmp_path) as run:
        assert run(own, "train") == 0
        assert run(own, "test") == 0
        (before,) = (file for file in tmp_path.rglob("logs/test-*.json"))
        root, content = before.parent.parent, before.read_text()
        assert run(other, "test", "--checkpoint", str(root)) == 0
        (file,) = (file for file in tmp_path.rglob("logs/test-*.json") if file != before)
        checkpoint = next(root.glob("checkpoints/*.pt"))
        assert run(other, "test", f"evaluator_cfg.restore_hint={checkpoint}", "evaluator_cfg.save_name=by-path") == 0
    (by_path,) = tmp_path.rglob("by-path/logs/test-*.json")
    capsys.readouterr()

    # The run's own results stay, and the new ones name both datasets.
    assert before.read_text() == content
    dataset = NAMES[tested] + ("-silhouettes" if model in GAIT else "")
    assert file.parts[-5] == dataset
    assert file.parent.parent.name == f"{root.name}-trained-on-{NAMES[trained]}"

    card, own_card = read(file)["card"], read(before)["card"]
    capsule = read(root / next(path.name for path in root.glob("capsule-train-*.json")))
    expected = {"name": NAMES[trained], "fingerprint": capsule["data"][0]["fingerprint"]}
    assert card["trained_on"] == own_card["trained_on"] == expected
    assert card["data"]["name"] == read(file)["dataset"] == NAMES[tested]
    assert card["protocol"] == ("bupt-campus" if tested == "bupt" else "hitsz-vcm") and card["protocol_followed"]
    assert card["frames"]["frames_num_fixed"] == (4 if tested == "bupt" else 3)
    assert card["checkpoint"]["sha256"] == own_card["checkpoint"]["sha256"]
    assert {direction.name for direction in PROTOCOLS[card["protocol"]].directions} <= set(read(file)["results"])
    # The classifiers of other people are in no descriptor.
    assert read(by_path)["results"] == read(file)["results"]

    assert command("compare")([str(root), str(file.parent.parent)]) == 0
    text = capsys.readouterr().out
    assert f"### {NAMES[tested]}, protocol {card['protocol']}, trained on {NAMES[trained]}\n" in text
    assert f"iteration 1, trained on {NAMES[trained]} " in text
    assert f"their networks were trained on {NAMES[tested]}, and this one on {NAMES[trained]}" in text


def test_the_network_and_the_size_of_its_frames_are_those_of_the_run(configs, tmp_path):
    """A run with other settings than the configuration of the tested dataset, whose folder moved."""
    with engine(tmp_path) as run:
        settings = ["model_cfg.dimension=4", "data_cfg.frame_size=[64,48]", "trainer_cfg.seed=5"]
        assert run(configs("dinogrl", "hitsz"), "train", *settings, "trainer_cfg.save_name=other") == 0
        (root,) = (tmp_path / "output").glob("*/*/other")
        moved = Path(shutil.move(root, tmp_path / "moved"))
        assert run(configs("dinogrl", "bupt"), "test", "--checkpoint", str(moved / "checkpoints/other-00001.pt")) == 0
    (file,) = tmp_path.glob("output/BUPTCampus/DinoGRL/other-trained-on-HITSZ-VCM/logs/test-*.json")
    card = read(file)["card"]
    assert card["data"]["settings"]["frame_size"] == [64, 48] and card["seed"] == 5
    assert card["distance"]["channels"] == 4
