"""scripts/benchmarks/training.py: one row per precision and form, with the same loss in each form."""

import pytest

from scripts.benchmarks import training
from tests.paths import ROOT

pytestmark = pytest.mark.slow

SMALL = ["--cfgs", str(ROOT / "configs/dinogrl/demo.yaml"), "--batch", "2", "1", "--frames", "1", "--steps", "1"]


def test_a_row_for_every_precision_and_form_of_lge(capsys):
    release = ["--set", "model_cfg.enhancement={type: release}", "--precisions", "float32", "bfloat16"]
    assert training.main([*SMALL, *release, "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "demo.yaml: 4 tracklets x 1 frames" in printed
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")][1:]
    assert [row[:2] for row in rows] == [
        [precision, form] for precision in ("float32", "bfloat16") for form in ("sorted", "written out")
    ]
    assert abs(float(rows[1][6])) < 1e-5
    assert 0 < abs(float(rows[2][6])) < 0.1, "half precision rounds"


def test_unknown_settings_are_named(capsys):
    assert training.main([*SMALL, "--set", "model_cfg.dimensio=3"]) == 2
    assert "did you mean dimension" in capsys.readouterr().err
