"""The former names of commands, from any folder and without installation."""

import os
import subprocess
import sys

import pytest

from opengait_ext.commands import COMMANDS
from tests.paths import ROOT

pytestmark = pytest.mark.slow

SCRIPTS = sorted(
    path
    for path in (*(ROOT / "scripts").glob("[!_]*.py"), *(ROOT / "datasets").glob("*/*.py"))
    if not path.name.startswith("_")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_runs_its_command(script, tmp_path):
    done = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    program, command, *_ = done.stdout.removeprefix("usage: ").split()
    assert program == "vvi" and command in COMMANDS
    assert f"`vvi {command}" in script.read_text(encoding="utf-8").splitlines()[0]


def test_positional_folders_of_prepare_still_work(tmp_path):
    script = ROOT / "datasets/HITSZ-VCM/prepare.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "HITSZ-VCM was not found" in done.stderr


def test_the_generator_can_be_imported_by_its_former_name(tmp_path):
    program = "from synthetic_vvi.generate import SettingsError, SyntheticConfig, generate"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "datasets")}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=environment)
