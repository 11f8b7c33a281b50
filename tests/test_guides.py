"""The guides under docs/ do what they say."""

import re
from pathlib import Path

import pytest
import yaml

from tests.engine import tiny
from tests.ext.runs import draw_people
from tests.ext.test_dinogrl_training import world, write_config  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[1]


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / guide).read_text(), flags=re.S | re.M)


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
        checked = tiny.trained(tmp_path, own_model, script=(str(ROOT / "opengait/check_config.py"),))
        assert "StripeGait: a training batch of 4x3x64x44" in checked.stdout
    tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "train", world=processes)
    done = tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "test", world=processes)
    assert "NM@R1" in done.stdout + done.stderr


def test_the_reader_of_the_guide(world, tmp_path):  # noqa: F811
    (tmp_path / "my_data").mkdir()
    (tmp_path / "my_data/__init__.py").write_text(blocks("your-own-data.md", "python")[0])
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
