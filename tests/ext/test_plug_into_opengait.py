"""This project's models inside a checkout of OpenGait, for which a stand-in with its bare bones serves."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from scripts import plug_into_opengait
from tests.engine.tiny import ROOT, launch
from tests.ext.stand_in_checkout import write_checkout
from tests.ext.test_dinogrl_training import world, write_config  # noqa: F401 - a fixture

PLUG = "opengait/modeling/models/opengait_ext_plug.py"


@pytest.fixture
def checkout(tmp_path) -> Path:
    return write_checkout(tmp_path / "OpenGait")


def run(checkout: Path, *arguments: str, world_size: int = 1) -> subprocess.CompletedProcess:
    done = launch(*arguments, world=world_size, cwd=checkout, script=(str(checkout / "opengait/main.py"),))
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.mark.parametrize("world_size", [1, 2])
def test_the_checkouts_own_main_trains_and_tests(checkout, world, tmp_path, world_size, capsys):  # noqa: F811
    file = write_config(world, tmp_path, output_root="output")
    assert plug_into_opengait.main([str(checkout), "--config", str(file)]) == 0
    adapted = f"configs/opengait_ext/{file.parent.name}_{file.name}"
    assert adapted in capsys.readouterr().out
    run(checkout, "--cfgs", adapted, "--phase", "train", world_size=world_size)
    folder = checkout / "output/Synthetic-VVI/ExtDinoGRL/DinoGRL"
    content = torch.load(folder / "checkpoints/DinoGRL-00004.pt", weights_only=True)
    assert content["iteration"] == 4 and any(key.startswith("network.gait") for key in content["model"])
    log = (folder / "logs/theirs.txt").read_text()
    assert "Iteration 00004, Cost" in log and "Parameters Count" in log
    assert list((folder / "summary").iterdir())
    run(checkout, "--cfgs", adapted, "--phase", "test", world_size=world_size)
    log = (folder / "logs/theirs.txt").read_text()
    assert "infrared to visible" in log and "visible to infrared" in log


def test_the_adapted_file_is_whole(checkout, capsys):
    file = ROOT / "configs/dinogrl/hitsz.yaml"
    assert plug_into_opengait.main([str(checkout), "--config", str(file), "--set", "data_cfg.num_workers=3"]) == 0
    content = yaml.safe_load((checkout / "configs/opengait_ext/dinogrl_hitsz.yaml").read_text())
    assert content["model_cfg"]["model"] == "ExtDinoGRL" and content["data_cfg"]["num_workers"] == 3
    assert content["trainer_cfg"]["seed"] == 0 and "extensions" not in content and "base" not in content


def test_it_comes_and_goes_without_a_trace(checkout, capsys):
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    assert plug_into_opengait.main([str(checkout)]) == 0
    assert plug_into_opengait.main([str(checkout)]) == 0
    added = {path for path in checkout.rglob("*") if path.is_file()} - set(before)
    assert added == {checkout / PLUG}
    assert plug_into_opengait.main([str(checkout), "--remove"]) == 0
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before
    assert plug_into_opengait.main([str(checkout), "--remove"]) == 0
    assert "There was no plug" in capsys.readouterr().out


def test_their_models_stay_theirs(checkout):
    assert plug_into_opengait.main([str(checkout)]) == 0
    program = (
        "import sys; sys.path.insert(0, 'opengait'); from modeling import models, base_model;"
        "print(issubclass(models.Theirs, base_model.BaseModel), models.Theirs.__module__, models.ExtDinoGRL.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "modeling.models.theirs", "ExtDinoGRL"]


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("opengait/main.py", "print('another program')\n", "never calls run_train"),
        ("opengait/main.py", "def broken(:\n", "no Python that can be read"),
        ("opengait/modeling/models/__init__.py", "from .theirs import Theirs\n", "iter_modules"),
    ],
)
def test_a_checkout_that_does_not_fit_is_left_alone(checkout, file, text, told, capsys):
    (checkout / file).write_text(text)
    assert plug_into_opengait.main([str(checkout)]) == 1
    assert told in capsys.readouterr().err
    assert not (checkout / PLUG).exists()
    assert plug_into_opengait.main([str(checkout), "--force"]) == 0
    assert (checkout / PLUG).exists()


def test_mistakes_are_one_sentence(checkout, tmp_path, capsys):
    def told(*arguments: str) -> str:
        assert plug_into_opengait.main([str(argument) for argument in arguments]) == 2
        return capsys.readouterr().err

    assert "no opengait/main.py" in told(tmp_path / "nowhere")
    assert "this project itself" in told(ROOT)
    assert "nothing.yaml" in told(checkout, "--config", tmp_path / "nothing.yaml")
    other = tmp_path / "other.yaml"
    other.write_text("model_cfg: {model: GaitSet}\n")
    assert "'GaitSet'" in told(checkout, "--config", other)
    assert not (checkout / PLUG).exists()
    (checkout / PLUG).write_text("mine = True\n")
    assert "not made by this script" in told(checkout)
    assert "not made by this script" in told(checkout, "--remove")
