"""This project's models inside a checkout of OpenGait, represented by a minimal stand-in."""

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from opengait_ext import plug
from tests.opengait.tiny import launch
from tests.opengait_ext.models.biggait.tiny import tiny_config
from tests.opengait_ext.plug.stand_in_checkout import write_checkout
from tests.opengait_ext.runs.stand_in_runs import command
from tests.opengait_ext.world import write_config
from tests.paths import ROOT

pytestmark = pytest.mark.slow

run_plug = command("plug")
PLUG = "opengait/modeling/models/opengait_ext_plug.py"


@pytest.fixture
def checkout(tmp_path) -> Path:
    return write_checkout(tmp_path / "OpenGait")


def run(checkout: Path, *arguments: str, world_size: int = 1) -> str:
    """Run the checkout's `main.py` and return its log."""
    logs = set(checkout.glob("output/*/*/*/logs/*.txt"))
    done = launch(
        *arguments, "--log_to_file", world=world_size, cwd=checkout, script=(str(checkout / "opengait/main.py"),)
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (log,) = set(checkout.glob("output/*/*/*/logs/*.txt")) - logs
    return log.read_text()


def python_in(checkout: Path, program: str, **environment: str) -> list[str]:
    """Return the words that a program prints with the `sys.path` of the checkout's `main.py`."""
    program = f"import sys; sys.path[0] = {str(checkout / 'opengait')!r}\n{program}"
    command = [sys.executable, "-c", program]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


@pytest.mark.parametrize("world_size", [1, 2])
def test_main_of_the_checkout_trains_and_tests(checkout, world, tmp_path, world_size, capsys):
    file = write_config(world, tmp_path, sync_BN=True)
    assert run_plug([str(checkout), "--cfgs", str(file)]) == 0
    adapted = f"configs/opengait_ext/{file.parent.name}_{file.name}"
    assert adapted in capsys.readouterr().out
    log = run(checkout, "--cfgs", adapted, "--phase", "train", world_size=world_size)
    folder = checkout / "output/Synthetic-VVI/ExtDinoGRL/DinoGRL"
    content = torch.load(folder / "checkpoints/DinoGRL-00004.pt", weights_only=True)
    assert content["iteration"] == 4 and any(key.startswith("network.gait") for key in content["model"])
    assert log.count("Iteration 00004, Cost") == 1 and "Parameters Count" in log
    assert list((folder / "summary").iterdir())
    log = run(checkout, "--cfgs", adapted, "--phase", "test", "--iter", "4", world_size=world_size)
    assert "infrared to visible" in log and "visible to infrared" in log


def test_biggait_trains_in_the_checkout(checkout, world, tmp_path):
    """Its name differs from the checkout's BigGait, and its optimiser rejects some of OpenGait's defaults."""
    content = {
        "base": str(ROOT / "configs/biggait/hitsz.yaml"),
        "data_cfg": {"dataset_root": str(world / "data"), "frame_size": [64, 32], "num_workers": 0},
        "model_cfg": tiny_config(pretrained_mask_branch=None),
        "trainer_cfg": {
            "total_iter": 1,
            "save_iter": 1,
            "log_iter": 1,
            "sampler": {"batch_size": [2, 1], "frames_num_fixed": 2},
        },
        "optimizer_cfg": {"solver": "AdamW", "lr": 0.001},
    }
    (tmp_path / "biggait.yaml").write_text(yaml.safe_dump(content))
    assert run_plug([str(checkout), "--cfgs", str(tmp_path / "biggait.yaml")]) == 0
    adapted = f"configs/opengait_ext/{tmp_path.name}_biggait.yaml"
    assert "Iteration 00001, Cost" in run(checkout, "--cfgs", adapted, "--phase", "train")


def test_several_configurations_at_once(checkout, capsys):
    files = [str(ROOT / f"configs/dinogrl/{name}.yaml") for name in ("hitsz", "bupt", "hitsz_official")]
    assert run_plug([str(checkout), "--cfgs", *files]) == 0
    names = sorted(path.name for path in (checkout / "configs/opengait_ext").iterdir())
    assert names == ["dinogrl_bupt.yaml", "dinogrl_hitsz.yaml", "dinogrl_hitsz_official.yaml"]


def test_adapted_configuration_is_complete(checkout, capsys):
    file = ROOT / "configs/dinogrl/hitsz.yaml"
    assert run_plug([str(checkout), "--cfgs", str(file), "--set", "data_cfg.num_workers=3"]) == 0
    content = yaml.safe_load((checkout / "configs/opengait_ext/dinogrl_hitsz.yaml").read_text())
    assert content["model_cfg"]["model"] == "ExtDinoGRL" and content["data_cfg"]["num_workers"] == 3
    assert content["trainer_cfg"]["seed"] == 0 and content["trainer_cfg"]["output_root"] == "output"
    assert (
        content["data_cfg"]["test_dataset_name"] != "CASIA-B" and "extensions" not in content and "base" not in content
    )


def test_plug_is_removed_without_a_trace(checkout, capsys):
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    assert run_plug([str(checkout)]) == 0
    assert run_plug([str(checkout)]) == 0
    added = {path for path in checkout.rglob("*") if path.is_file()} - set(before)
    assert added == {checkout / PLUG}
    assert "add --cfgs" in capsys.readouterr().out
    assert run_plug([str(checkout), "--cfgs", str(ROOT / "configs/dinogrl/demo.yaml")]) == 0
    py_compile.compile(str(checkout / PLUG))
    assert run_plug([str(checkout), "--remove"]) == 0
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before
    assert run_plug([str(checkout), "--remove"]) == 0
    assert "There was no plug" in capsys.readouterr().out


def test_files_of_an_earlier_version_are_replaced_and_removed(checkout, capsys):
    """They contain the name of the script that preceded `vvi plug`."""
    config = checkout / "configs/opengait_ext/dinogrl_demo.yaml"
    plug_text = f'"""Added by scripts/plug_into_opengait.py of {ROOT.name}; remove it with the same script."""\n'
    for options in ([], ["--remove"]):
        for file, text in (
            (checkout / PLUG, plug_text),
            (config, "# Made by scripts/plug_into_opengait.py from demo.yaml\n"),
        ):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        assert run_plug([str(checkout), *options]) == 0
        assert (checkout / PLUG).exists() == (not options) and config.exists() == (not options)
        assert options or "Added by vvi plug" in (checkout / PLUG).read_text()
    assert not config.parent.exists()


@pytest.mark.parametrize("on_path", ["", "."])
def test_models_of_the_checkout_are_unaffected(checkout, on_path):
    """For any path, the four top-level names belong to the checkout and `opengait` to this project."""
    assert run_plug([str(checkout)]) == 0
    program = """
from modeling import models, base_model
import data.transform, data.dataset, evaluation.evaluator, utils, opengait
print(issubclass(models.Theirs, base_model.BaseModel), models.Theirs.__module__, models.ExtDinoGRL.__name__)
print(models.BigGait__Dinov2_Gaitbase.theirs, models.Theirs.parts[0].theirs, data.dataset.DataSet.theirs)
print(all(module.__file__.startswith(sys.path[0]) for module in (data.transform, evaluation.evaluator, utils)))
print(opengait.__file__)
"""
    assert python_in(checkout, program, PYTHONPATH=on_path) == [
        *("True", "modeling.models.theirs", "ExtDinoGRL"),
        *("True", "True", "True", "True"),
        str(ROOT / "opengait/__init__.py"),
    ]


def test_models_of_the_checkout_work_where_the_plug_cannot(checkout):
    assert run_plug([str(checkout)]) == 0
    program = """
from modeling import models
print(models.Theirs.theirs)
try:
    models.ExtDinoGRL({}, True)
except ImportError as error:
    print(error)
"""
    plug = (checkout / PLUG).read_text()
    (checkout / PLUG).write_text(plug.replace("< (3, 11)", "< (99, 0)"))
    output = " ".join(python_in(checkout, program))
    assert output.startswith("True ExtDinoGRL of") and "Python 3.11 or newer" in output
    (checkout / PLUG).write_text(plug.replace(f"PROJECT = {str(ROOT)!r}", "PROJECT = '/nowhere'"))
    # This simulates an environment without this project.
    output = " ".join(python_in(checkout, f"sys.modules['opengait_ext'] = None\n{program}"))
    assert "True ExtDinoGRL of /nowhere cannot be used here: ModuleNotFoundError" in output


OWN = b"model_cfg: {model: Mine}  # caf\xe9\n"


@pytest.mark.parametrize(
    "content", [OWN, b"", b"# Made by hand\n", b"# Made by vvi plug from bupt.yaml\n", "edited", "copied"]
)
def test_a_users_file_is_neither_replaced_nor_removed(checkout, tmp_path, content, capsys):
    """Also not an edited or copied file of the plug's."""
    configs = [str(ROOT / f"configs/dinogrl/{name}.yaml") for name in ("hitsz", "bupt")]
    file = checkout / "configs/opengait_ext/dinogrl_hitsz.yaml"
    if isinstance(content, str):
        assert run_plug([str(checkout), "--cfgs", *configs]) == 0
        other = "dinogrl_bupt.yaml" if content == "copied" else file.name
        content = file.with_name(other).read_bytes() + (b"" if content == "copied" else b"# mine\n")
        assert run_plug([str(checkout), "--remove"]) == 0
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    capsys.readouterr()
    assert run_plug([str(checkout), "--cfgs", *configs]) == 2
    assert f"{file} was not made by vvi plug, or was edited" in capsys.readouterr().err
    assert list(file.parent.iterdir()) == [file] and not (checkout / PLUG).exists()
    assert run_plug([str(checkout), "--cfgs", configs[1]]) == 0
    assert run_plug([str(checkout), "--remove"]) == 0
    assert f"Kept {file}" in capsys.readouterr().out
    assert file.read_bytes() == content and list(file.parent.iterdir()) == [file]


def test_an_edited_plug_and_a_linked_configuration_stay(checkout, tmp_path, capsys):
    cfgs = ["--cfgs", str(ROOT / "configs/dinogrl/hitsz.yaml")]
    assert run_plug([str(checkout), *cfgs]) == 0
    written = checkout / "configs/opengait_ext/dinogrl_hitsz.yaml"
    elsewhere = written.rename(tmp_path / written.name)
    written.symlink_to(elsewhere)
    assert run_plug([str(checkout), *cfgs]) == 2 and written.is_symlink()
    (checkout / PLUG).write_text((checkout / PLUG).read_text() + "# mine\n")
    assert run_plug([str(checkout), "--remove"]) == 2
    assert f"{checkout / PLUG} was not made by vvi plug, or was edited" in capsys.readouterr().err
    assert (checkout / PLUG).exists() and elsewhere.exists()


def test_configurations_of_the_same_name_are_rejected(checkout, tmp_path, capsys):
    other = tmp_path / "dinogrl/hitsz.yaml"
    other.parent.mkdir()
    other.write_text(f"base: {ROOT}/configs/dinogrl/hitsz.yaml\n")
    assert run_plug([str(checkout), "--cfgs", str(ROOT / "configs/dinogrl/hitsz.yaml"), str(other)]) == 2
    assert "both become dinogrl_hitsz.yaml" in capsys.readouterr().err
    assert not (checkout / PLUG).exists()


def test_a_damaged_checkout_can_be_unplugged(checkout, capsys):
    assert run_plug([str(checkout), "--cfgs", str(ROOT / "configs/dinogrl/hitsz.yaml")]) == 0
    (checkout / "opengait/main.py").unlink()
    assert run_plug([str(checkout), "--remove", "--cfgs", "a.yaml"]) == 2
    assert run_plug([str(checkout), "--remove"]) == 0
    assert not (checkout / PLUG).exists() and not (checkout / "configs/opengait_ext").exists()


def test_the_checkouts_own_needs_are_said(checkout, capsys):
    """Packages go by the name that pip knows; the checkout's own modules and installed ones are not listed."""
    assert run_plug([str(checkout)]) == 0
    out = capsys.readouterr().out
    assert "needs a GPU" in out and "pip install" not in out
    (checkout / "opengait/modeling/losses/more.py").write_text(
        "import absent_one.inner, os, utils\nfrom skimage import io\nfrom . import here\nfrom data import x\n"
    )
    assert run_plug([str(checkout)]) == 0
    assert "pip install absent_one scikit-image\n" in capsys.readouterr().out


def test_version_is_printed_first(checkout, monkeypatch, capsys):
    for commit, expected in (
        (None, "OpenGait of an unknown commit (this project follows 0efafd4), at "),
        ("0efafd4", "OpenGait 0efafd4, the commit that this project follows, at "),
        ("abc1234", "OpenGait abc1234 (this project follows 0efafd4), at "),
    ):
        monkeypatch.setattr(plug.checkout, "_commit", lambda root, commit=commit: commit)
        assert run_plug([str(checkout)]) == 0
        assert capsys.readouterr().out.startswith(expected)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("opengait/main.py", "print('another program')\n", "never calls run_train"),
        ("opengait/main.py", "def broken(:\n", "main.py is not valid Python"),
        ("opengait/modeling/models/__init__.py", "from .theirs import Theirs\n", "iter_modules"),
    ],
)
def test_incompatible_checkout_is_not_changed(checkout, file, text, problem, capsys):
    (checkout / file).write_text(text)
    assert run_plug([str(checkout)]) == 1
    assert problem in capsys.readouterr().err
    assert not (checkout / PLUG).exists()
    assert run_plug([str(checkout), "--force"]) == 0
    assert (checkout / PLUG).exists()


def test_errors_are_one_sentence(checkout, tmp_path, capsys):
    def error_of(*arguments: str) -> str:
        assert run_plug([str(argument) for argument in arguments]) == 2
        return capsys.readouterr().err

    assert "no opengait/main.py" in error_of(tmp_path / "nowhere")
    assert "this project itself" in error_of(ROOT)
    assert "nothing.yaml" in error_of(checkout, "--cfgs", tmp_path / "nothing.yaml")
    other = tmp_path / "other.yaml"
    other.write_text("model_cfg: {model: GaitSet}\n")
    assert "'GaitSet'" in error_of(checkout, "--cfgs", other)
    assert not (checkout / PLUG).exists()
    (checkout / PLUG).write_text("theirs = True\n")
    assert "not made by vvi plug" in error_of(checkout)
    assert "not made by vvi plug" in error_of(checkout, "--remove")
