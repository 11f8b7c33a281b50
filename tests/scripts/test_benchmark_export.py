"""scripts/benchmarks/export.py: every way describes alike."""

import pytest

from scripts.benchmarks import export


@pytest.mark.slow
def test_ways_are_measured_side_by_side(capsys):
    small = ["model_cfg.backbone.width=4", "model_cfg.backbone.weights=null", "data_cfg.frame_size=[32,16]"]
    cfgs = ["--cfgs", "configs/benchmark/agw.yaml", "--set", *small, "--formats", "pt2", "--fixed"]
    assert export.main([*cfgs, "--tracklets", "2", "--frames", "1", "--rounds", "1"]) == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["Way", "PyTorch", "pt2"]
    assert all(float(row[1]) > 0 for row in rows[1:]) and float(rows[1][2]) == 1
    assert float(rows[1][3]) == 0 and float(rows[2][3]) <= 1e-4


def test_models_without_a_plain_network_are_named(capsys):
    assert export.main(["--cfgs", "configs/gaitset/hitsz.yaml"]) == 2
    assert "Gait" in capsys.readouterr().err
