"""scripts/benchmarks/step.py: a row per part of a step, alone and beside another revision."""

import pytest

from scripts.benchmarks import step
from tests.paths import ROOT

SMALL = ["--cfgs", str(ROOT / "configs/dinogrl/demo.yaml"), "--batch", "2", "1", "--frames", "1", "--steps", "1"]


def rows(printed: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines[1:]}


@pytest.mark.slow
def test_every_part_has_a_row_and_the_parts_add_up(capsys):
    assert step.main([*SMALL, "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "demo.yaml, train: 4 tracklets x 1 frames" in printed
    parts = rows(printed)
    assert set(parts) == {*step.ROWS, "step"}
    total = float(parts.pop("step")[0])
    assert sum(float(cells[0]) for cells in parts.values()) == pytest.approx(total, abs=1)
    assert "copies in" in printed and "waits" not in printed


@pytest.mark.slow
def test_unknown_settings_are_named(capsys):
    assert step.main([*SMALL, "--set", "model_cfg.dimensio=3", "--device", "cpu"]) == 2
    assert "did you mean dimension" in capsys.readouterr().err


def test_the_row_of_another_revision_by_hand():
    seconds = dict.fromkeys(step.ROWS, 0.0) | {"transformer": 0.5, "step": 0.5}
    before = seconds | {"transformer": 1.0, "step": 1.0}
    facts = {"work": {"transformer": 2e9, "all": 2e9}}
    lines = step.table(seconds, facts, before, "v1")
    assert lines[0] == "| Part | ms | GFLOP | GFLOP/s | v1 | Ratio |"
    assert lines[2:] == [
        "| transformer | 500.0 | 2.0 | 4 | 1000.0 | 2.00 |",
        "| step | 500.0 | 2.0 | 4 | 1000.0 | 2.00 |",
    ]


def test_the_fastest_step_counts():
    fastest = step.fastest([{"transformer": 1.0, "losses": 3.0}, {"transformer": 2.0, "losses": 1.0}])
    assert (fastest["transformer"], fastest["losses"], fastest["step"]) == (1.0, 1.0, 3.0)
