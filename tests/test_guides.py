"""The code in the guides under docs/ runs."""

import itertools
import json
import pickle

import numpy as np
import pytest
import torch
import yaml

from opengait import registry
from opengait.config import load_config
from tests.golden.dinogrl_official import recipe
from tests.markdown import read_page
from tests.opengait import tiny
from tests.opengait_ext.runs.stand_in_runs import draw_people
from tests.opengait_ext.world import write_config
from tests.paths import ROOT

pytestmark = pytest.mark.slow

OWN_MODEL = read_page("docs/your-own-model.md")
OWN_DATA = read_page("docs/your-own-data.md")


def package(name: str) -> str:
    """Return the code block of the guide to one's own data that is headed `<name>/__init__.py`."""
    (code,) = (block for block in OWN_DATA.blocks("python") if block.startswith(f"# {name}/__init__.py\n"))
    return code


@pytest.fixture
def own_model(tmp_path):
    """Write the guide's two files, with a small dataset in place of CASIA-B and few iterations."""
    folder = tmp_path / "my_models"
    folder.mkdir()
    (folder / "stripe_gait.py").write_text(OWN_MODEL.blocks("python")[0])
    tiny.write_dataset(tmp_path / "data")
    content = yaml.safe_load(OWN_MODEL.blocks("yaml")[0])
    content["data_cfg"] |= {"dataset_root": str(tmp_path / "data"), "num_workers": 0}
    content["data_cfg"]["dataset_partition"] = str(tmp_path / "partition.json")
    content["model_cfg"]["class_num"] = 4
    content["trainer_cfg"] |= {"total_iter": 2, "save_iter": 2, "log_iter": 1, "output_root": str(tmp_path / "output")}
    content["trainer_cfg"]["sampler"] |= {"batch_size": [2, 2], "frames_num_fixed": 3, "frames_skip_num": 1}
    content["evaluator_cfg"]["restore_hint"] = 2
    (folder / "stripe_gait.yaml").write_text(yaml.safe_dump(content))
    return folder / "stripe_gait.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_own_model_is_tried_trained_and_tested(own_model, tmp_path, processes):
    if processes == 1:
        checked = tiny.trained(tmp_path, own_model, script=(str(ROOT / "opengait/dry_run.py"),))
        assert "StripeGait: a training batch of 4x3x64x44" in checked.stdout
    tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "train", world=processes)
    done = tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "test", world=processes)
    assert "NM@R1" in done.stdout + done.stderr


@pytest.mark.slow
def test_own_pickles_and_protocol(own_model, tmp_path):
    (tmp_path / "my_protocol").mkdir()
    (tmp_path / "my_protocol/__init__.py").write_text(package("my_protocol"))
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
    data_cfg = yaml.safe_load(OWN_DATA.blocks("yaml")[0])["data_cfg"]
    content["data_cfg"] = data_cfg | {"data_in_use": [False, True], "num_workers": 0}
    content["evaluator_cfg"]["eval_func"] = "evaluate_mine"
    content["trainer_cfg"]["with_test"] = True
    own_model.write_text(yaml.safe_dump(content))
    done = tiny.trained(tmp_path, "--cfgs", own_model, "--phase", "train")
    assert "MyGait: Rank-1 " in done.stdout + done.stderr
    (file,) = (tmp_path / "output/MyGait").rglob("test-00002.json")
    results = json.loads(file.read_text())["results"]
    assert set(results) == {"scalar/test_accuracy/Rank-1", "scalar/test_accuracy/mAP"}
    assert 0 <= results["scalar/test_accuracy/Rank-1"] <= 100 and 0 < results["scalar/test_accuracy/mAP"] <= 100


@pytest.mark.slow
def test_own_reader(world, tmp_path):  # noqa: F811
    (tmp_path / "my_data").mkdir()
    (tmp_path / "my_data/__init__.py").write_text(package("my_data"))
    source = draw_people(tmp_path / "drawn", train=8, test=3)
    for split in ("train", "test"):
        for kind, modality in (("rgb", "visible"), ("ir", "infrared")):
            for folder in sorted((source / split.title()).glob(f"*/{kind}/*")):
                person, camera = folder.parts[-3], folder.name.removeprefix("D")
                link = tmp_path / "frames" / split / modality / person / camera
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(folder)
    (own,) = (block for block in OWN_DATA.blocks("yaml") if block.startswith("# my_frames.yaml\n"))
    path = tmp_path / "my_frames.yaml"
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    path.write_text(own)
    assert load_config(path)["data_cfg"]["reader"] == "MyFrames"
    # The copy of a whole configuration with another reader, which has all of its keys.
    copy = (ROOT / "configs/dinogrl/hitsz.yaml").read_text().replace("[opengait_ext]", "[opengait_ext, my_data]")
    (tmp_path / "copy.yaml").write_text(copy.replace("reader: HITSZVCMDataSet", "reader: MyFrames"))
    assert load_config(tmp_path / "copy.yaml")["data_cfg"]["minimum_frames"] == 12
    content = yaml.safe_load(own) | {"base": str(write_config(world, tmp_path))}
    content["data_cfg"]["dataset_root"] = str(tmp_path / "frames")
    path.write_text(yaml.safe_dump(content))
    tiny.trained(tmp_path, "--cfgs", path, "--phase", "train")
    done = tiny.trained(tmp_path, "--cfgs", path, "--phase", "test")
    assert "infrared to visible" in done.stdout + done.stderr
    reader = registry.datasets.get("MyFrames")(load_config(path)["data_cfg"], True)
    names = [int(frame.stem) for frame in reader.tracklets[0].frames]
    assert names == sorted(names) and len(names) > 10


@pytest.mark.slow
def test_authors_checkpoints_in_a_notebook(tmp_path, monkeypatch):
    for file in recipe.FILES:
        torch.save(recipe.weights(file), tmp_path / f"{file}.pth")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    (code,) = read_page("docs/authors-checkpoints.md").blocks("python")
    names = {"frames": recipe.frames(20267), "modality": torch.zeros(2, dtype=torch.long)}
    with torch.no_grad():
        exec(compile(code, "docs/authors-checkpoints.md", "exec"), names)
    assert names["descriptor"].shape == (2, 256, 70)
