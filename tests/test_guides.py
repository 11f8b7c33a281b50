"""The guides under docs/ do what they say."""

import itertools
import json
import pickle
import re

import numpy as np
import pytest
import yaml

from tests.opengait import tiny
from tests.opengait_ext.runs.stand_in_runs import draw_people
from tests.opengait_ext.world import write_config
from tests.paths import ROOT


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / guide).read_text(), flags=re.S | re.M)


def package(guide: str, name: str) -> str:
    """The code block that a guide calls `<name>/__init__.py`."""
    (text,) = (block for block in blocks(guide, "python") if block.startswith(f"# {name}/__init__.py\n"))
    return text


@pytest.fixture
def own_model(tmp_path):
    """The guide's two files, with a small data set in place of CASIA-B and few iterations."""
    folder = tmp_path / "my_models"
    folder.mkdir()
    (folder / "stripe_gait.py").write_text(blocks("your-own-model.md", "python")[0])
    tiny.write_dataset(tmp_path / "data")
    content = yaml.safe_load(blocks("your-own-model.md", "yaml")[0])
    content["data_cfg"] |= {"dataset_root": str(tmp_path / "data"), "num_workers": 0}
    content["data_cfg"]["dataset_partition"] = str(tmp_path / "partition.json")
    content["model_cfg"]["class_num"] = 4
    content["trainer_cfg"] |= {"total_iter": 2, "save_iter": 2, "log_iter": 1, "output_root": str(tmp_path / "output")}
    content["trainer_cfg"]["sampler"] |= {"batch_size": [2, 2], "frames_num_fixed": 3, "frames_skip_num": 1}
    content["evaluator_cfg"]["restore_hint"] = 2
    (folder / "stripe_gait.yaml").write_text(yaml.safe_dump(content))
    return folder / "stripe_gait.yaml"


@pytest.mark.parametrize("processes", [1, 2])
def test_the_model_of_the_guide_is_tried_trained_and_tested(own_model, tmp_path, processes):
    if processes == 1:
        checked = tiny.trained(tmp_path, own_model, script=(str(ROOT / "opengait/dry_run.py"),))
        assert "StripeGait: a training batch of 4x3x64x44" in checked.stdout
    tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "train", world=processes)
    done = tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "test", world=processes)
    assert "NM@R1" in done.stdout + done.stderr


def test_the_layout_and_the_protocol_of_the_guide(own_model, tmp_path):
    (tmp_path / "my_protocol").mkdir()
    (tmp_path / "my_protocol/__init__.py").write_text(package("your-own-data.md", "my_protocol"))
    rng = np.random.default_rng(0)
    for person, kind, view in itertools.product(range(1, 8), ("probe", "known"), ("left", "right")):
        folder = tmp_path / "root" / f"{person:03d}" / kind / view
        folder.mkdir(parents=True)
        for feature in ("a_depth", "b_silhouette"):
            frames = rng.integers(0, 256, (6, 64, 64), dtype=np.uint8)
            (folder / f"{feature}.pkl").write_bytes(pickle.dumps(list(frames)))
    ids = [f"{person:03d}" for person in range(1, 8)]
    (tmp_path / "partition.json").write_text(json.dumps({"TRAIN_SET": ids[:4], "TEST_SET": ids[4:]}))
    content = yaml.safe_load(own_model.read_text())
    content["extensions"].append("my_protocol")
    data_cfg = yaml.safe_load(blocks("your-own-data.md", "yaml")[0])["data_cfg"]
    content["data_cfg"] = data_cfg | {"data_in_use": [False, True], "num_workers": 0}
    content["evaluator_cfg"]["eval_func"] = "evaluate_mine"
    content["trainer_cfg"]["with_test"] = True
    own_model.write_text(yaml.safe_dump(content))
    tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "train")
    (file,) = (tmp_path / "output/MyGait").rglob("test-00002.json")
    results = json.loads(file.read_text())["results"]
    assert set(results) == {"scalar/test_accuracy/Rank-1", "scalar/test_accuracy/mAP"}
    assert 0 <= results["scalar/test_accuracy/Rank-1"] <= 100 and 0 < results["scalar/test_accuracy/mAP"] <= 100


def test_the_reader_of_the_guide(world, tmp_path):  # noqa: F811
    (tmp_path / "my_data").mkdir()
    (tmp_path / "my_data/__init__.py").write_text(package("your-own-data.md", "my_data"))
    source = draw_people(tmp_path / "drawn", train=8, test=3)
    for split, wanted in (("train", "Train"), ("test", "Test")):
        for kind, name in (("rgb", "visible"), ("ir", "infrared")):
            for folder in sorted((source / wanted).glob(f"*/{kind}/*")):
                person, camera = folder.parts[-3], folder.name.removeprefix("D")
                place = tmp_path / "frames" / split / name / person / camera
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(folder)
    path = write_config(world, tmp_path)
    content = yaml.safe_load(path.read_text())
    content["extensions"] = ["opengait_ext", "my_data"]
    content["data_cfg"] |= {"reader": "MyFrames", "dataset_root": str(tmp_path / "frames")}
    path.write_text(yaml.safe_dump(content))
    tiny.trained(tmp_path, "--cfgs", path, "--phase", "train")
    done = tiny.trained(tmp_path, "--cfgs", path, "--phase", "test")
    assert "infrared to visible" in done.stdout + done.stderr


def test_links_and_programs_exist():
    for guide in (ROOT / "docs").glob("*.md"):
        text = guide.read_text()
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (guide.parent / link).exists(), link
        for program in re.findall(r"\b(?:scripts|opengait|tests|configs|datasets)/[\w./-]+\.(?:py|yaml|sh)", text):
            assert (ROOT / program).is_file(), program
