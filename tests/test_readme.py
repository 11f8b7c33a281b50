"""What the README says is so: files exist, commands parse, and its code runs."""

import re
import shlex
import subprocess
import sys

import pytest

from opengait.config import load_config
from opengait.errors import ConfigError
from tests.opengait import tiny
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.S | re.M)


def commands() -> list[str]:
    """Every command line in the README's shell blocks, comments and continuation joined."""
    text = "\n".join(body for language, body in BLOCKS if language == "")
    return [line for line in text.replace("\\\n", " ").splitlines() if re.match(r"(bash|torchrun|python) ", line)]


@pytest.mark.parametrize("command", commands())
def test_commands_name_files_that_exist(command):
    words = [word for word in shlex.split(command, comments=True) if "/" in word and "=" not in word]
    programs = [word for word in words if re.match(r"(scripts|opengait|configs)/", word)]
    programs += [f"{module.replace('.', '/')}.py" for module in re.findall(r"python -m (opengait\S*)", command)]
    assert programs, f"nothing to check in {command!r}"
    for word in programs:
        assert (ROOT / word).is_file(), word


def test_links_and_paths_in_tables_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for row in [line for line in README.splitlines() if line.startswith(("| Eq", "| Fig", "| Table"))]:
        _, _, code, _, tests, _ = row.split("|")
        for name in re.findall(r"`([\w/]+\.py)`", code):
            assert (ROOT / name).is_file() or (ROOT / "opengait_ext" / name).is_file(), name
        for name in re.findall(r"`([\w/]+\.py)`", tests):
            assert (ROOT / name).is_file() or (ROOT / "tests/equations" / name).is_file(), name


# What a `--set` in a sentence may belong to, the first that has the key.
CONFIGS = ("dinogrl/hitsz", "biggait/hitsz")


@pytest.mark.parametrize("setting", sorted(set(re.findall(r"--set (\S+?=\S+?)[`\s]", README))))
def test_keys_set_on_the_command_line_exist(setting):
    failures = []
    for name in CONFIGS:
        try:
            load_config(ROOT / f"configs/{name}.yaml", [setting])
            return
        except ConfigError as error:
            failures.append(str(error))
    pytest.fail(" ".join(failures))


def python_block(start: str) -> str:
    return next(body for language, body in BLOCKS if language == "python" and start in body)


def test_the_notebook_example_runs():
    command = [sys.executable, "-c", python_block("DinoGRLNet.from_config")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "torch.Size([2, 256, 10]) torch.Size([12, 1, 64, 32])" in done.stdout


def test_the_model_example_trains(tmp_path):
    (tmp_path / "my_models").mkdir()
    (tmp_path / "my_models/tiny_gait.py").write_text(python_block("class TinyGait"))
    tiny.write_dataset(tmp_path / "data")
    config = tiny.write_config(
        tmp_path,
        extensions=[str(tmp_path / "my_models"), "tests.opengait.tiny_parts"],
        model_cfg={"model": "TinyGait", "class_num": 4},
        trainer_cfg={"total_iter": 2, "save_iter": 2},
        evaluator_cfg={"restore_hint": 2},
    )
    tiny.trained(tmp_path, "--cfgs", config, "--phase", "train")
    tiny.trained(tmp_path, "--cfgs", config, "--phase", "test")
