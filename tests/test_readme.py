"""The README's example runs, and its table of results names configurations that exist."""

import re
import subprocess
import sys

import pytest

from tests.markdown import read_page
from tests.paths import ROOT

README = read_page("README.md")


@pytest.mark.slow
def test_the_quick_start_runs():
    (example,) = README.blocks("python")
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "torch.Size([2, 256, 10]) torch.Size([12, 1, 64, 32])" in done.stdout


def test_the_status_table_lists_the_methods():
    rows = README.text.split("## Status")[1].split("## Install")[0]
    methods = {path.parent.name for path in map(ROOT.joinpath, re.findall(r"`(configs/\S+?\.yaml)`", rows))}
    assert methods == {path.name for path in (ROOT / "configs").iterdir() if path.is_dir()} - {"ablation", "benchmark"}


def test_the_demo_table_can_be_replaced():
    assert len(re.findall(r"<!-- demo results: (?:begin|end) -->", README.text)) == 2
