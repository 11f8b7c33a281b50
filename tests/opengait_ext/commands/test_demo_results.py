"""Numbers of the demo: one run's table, and the spread over several."""

import json
from pathlib import Path

import pytest

from opengait_ext.commands import main


def write_run(folder: Path, rank1: float) -> Path:
    numbers = dict.fromkeys(("rank1", "rank5", "rank10", "rank20", "map", "minp"), rank1) | {"queries": 8, "gallery": 9}
    results = {"infrared_to_visible": numbers, "visible_to_infrared": numbers | {"map": 0.5}, "chance_rank1": 0.125}
    for file, content in (
        ("logs/test-00145.json", {"results": results}),
        ("silhouettes/iou.json", {"silhouette_iou": 0.8}),
    ):
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text(json.dumps(content))
    return folder


def test_one_run_is_a_table_of_both_directions(tmp_path, capsys):
    run = write_run(tmp_path / "seed-0", 0.75)
    assert main(["demo-results", "--run", str(run), "--out", str(tmp_path / "results.json")]) == 0
    printed = capsys.readouterr().out
    assert "infrared to visible       75.0" in printed and "guessing                  12.5" in printed
    assert json.loads((tmp_path / "results.json").read_text())["silhouette_iou"] == 0.8


def test_several_runs_are_a_row_each_with_their_spread(tmp_path, capsys):
    runs = [write_run(tmp_path / f"seed-{seed}", rank1) for seed, rank1 in enumerate((0.5, 0.75, 0.7))]
    assert main(["demo-results", "--run", *map(str, runs), "--out", str(tmp_path / "all.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == [f"| {run}" for run in runs]
    assert lines[-3:] == [
        "| mean | 65.0 | 65.0 | 65.0 | 50.0 | 80.0 |",
        "| smallest | 50.0 | 50.0 | 50.0 | 50.0 | 80.0 |",
        "| largest | 75.0 | 75.0 | 75.0 | 50.0 | 80.0 |",
    ]
    assert set(json.loads((tmp_path / "all.json").read_text())) == set(map(str, runs))


def test_a_run_without_results_is_an_error(tmp_path, capsys):
    assert main(["demo-results", "--run", str(tmp_path)]) == 2
    assert "logs/test-*.json" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", "3", '{"silhouette_iou": "a"}', '{"silhouette_iou": NaN}', "[" * 9999]
)
@pytest.mark.parametrize("name", ["logs/test-00145.json", "silhouettes/iou.json"])
def test_damaged_files_are_named(tmp_path, capsys, name, text):
    run = write_run(tmp_path / "seed-0", 0.75)
    (run / name).write_text(text)
    assert main(["demo-results", "--run", str(run)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {run / name} ") and error.count("\n") == 1
