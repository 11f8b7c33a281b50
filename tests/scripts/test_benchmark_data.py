"""The benchmark of the data path at a tiny size; ways that return different frames are not compared."""

from pathlib import Path

import pytest

from opengait.errors import DataError
from scripts.benchmarks import data_path as command
from scripts.benchmarks.data import ways
from scripts.benchmarks.data.measure import Bench, RoundTime, Settings, Speed
from scripts.benchmarks.data.table import table
from tests.golden.vvi import mini_hitsz

pytestmark = pytest.mark.slow

TINY = ["--frame-size", "16", "8", "--batch", "4", "--rounds", "1", "--least", "8", "--tracklets", "8"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return mini_hitsz.write(tmp_path_factory.mktemp("hitsz"))


def test_all_ways_and_phases(tree, tmp_path, capsys):
    out = tmp_path / "table.md"
    arguments = ["--root", str(tree), "--work", str(tmp_path / "work"), "--workers", "0", "--cold", "--out", str(out)]
    assert command.main([*TINY, *arguments]) == 0
    text = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.split("\n") if line.startswith("| t")]
    assert [row[0] for row in rows[::4]] == ["test", "training", "test, uncached", "training, uncached"]
    assert [row[2] for row in rows] == ["(a)", "(b)", "(c)", "(d)"] * 4
    assert all(float(row[3].replace(",", "")) > 0 and float(row[7]) > 0 for row in rows)
    assert out.read_text() == text and "8 tracklets of" in text


def test_data_is_generated_by_default(tree, monkeypatch, capsys):
    monkeypatch.setattr(command, "generate", lambda root, config, **_: mini_hitsz.write(Path(root)))
    assert command.main([*TINY, "--workers", "1", "--phase", "test"]) == 0
    assert capsys.readouterr().out.count("| test | 1 |") == 4
    assert command.main(["--root", str(tree / "none")]) == 2
    assert "HITSZ-VCM was not found" in capsys.readouterr().err


def test_ways_that_disagree_are_not_timed(tree, tmp_path, monkeypatch):
    bench = Bench(tree, tmp_path, Settings(frame_size=(16, 8), batch=4), tracklets=4)
    differences = bench.check()
    assert differences["raw"] == differences["pack"] == 0 and max(differences.values()) < 1e-6
    real = ways.BaseRgbTransform
    monkeypatch.setattr(ways, "BaseRgbTransform", lambda: lambda frames: real()(frames) * 1.00001)
    with pytest.raises(DataError, match=r"\(c\) .* other frames than \(a\)"):
        bench.check()


def test_ratios_are_of_rates():
    settings = Settings(frames=6)
    speeds = [
        Speed(way, settings, (RoundTime(seconds, 0.1, 0.2), RoundTime(99.0, 0.1, 0.2), RoundTime(0.0, 0.1, 0.2)), 10)
        for way, seconds in (("raw", 1.0), ("pack", 0.5), ("pickle", 3.0), ("plain", 2.0))
    ]
    assert table(speeds)[2] == "| test | 0 | (a) | 10 | 60 | 3.00x | 2.00x | 10.00 | 20.00 |"
    assert table(speeds)[5] == "| test | 0 | (d) | 5 | 30 | 1.50x | 1.00x | 10.00 | 20.00 |"


def test_rounds_are_whole_batches():
    assert Settings(batch=4, least=10).repeated([1, 2, 3]) == [1, 2, 3] * 4
    assert Settings(batch=4, least=1).repeated([1, 2, 3, 4, 5]) == [1, 2, 3, 4, 5, 1, 2, 3]
    assert Settings(batch=4, cold=True).repeated([1, 2, 3, 4, 5]) == [1, 2, 3, 4]
