"""The ranking of a tested run, and how runs are opened."""

import json

import numpy as np
import pytest

from opengait.errors import DataError
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.results import open_test, read_any_test, result_files
from opengait_ext.runs.run_frames import configuration_of
from opengait_ext.runs.tested_run import check_comparable, open_run, open_runs
from tests.opengait_ext.runs.stand_in_test import planted, write_run

DIRECTIONS = ["infrared_to_visible", "visible_to_infrared"]


@pytest.fixture
def run(tmp_path):
    return open_run(write_run(tmp_path / "run", planted()))


def ranking_of(run, direction="infrared_to_visible"):
    return Ranking(run, run.direction(direction))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ranking_reproduces_the_numbers_of_the_test(tmp_path, direction):
    run = open_run(write_run(tmp_path / "run", planted(people=8, noise=1.2, seed=3)))
    ranking, expected = ranking_of(run, direction), run.content["results"][direction]
    assert np.nanmean(ranking.metrics.ap) == pytest.approx(expected["map"], abs=1e-6)
    assert ranking.metrics.cmc[[0, 4, 9, 19]] == pytest.approx([expected[f"rank{k}"] for k in (1, 5, 10, 20)], abs=1e-6)
    assert 0.1 < expected["rank1"] < 1  # otherwise the test would be trivial
    assert not any(
        ranking.hits(row)[ranking.removed[row, ranking.order(row)]].any() for row in range(len(ranking.query))
    )


def test_hits_agree_with_metrics(tmp_path):
    """The order that figures draw is the one that the metrics are computed from."""
    ranking = ranking_of(open_run(write_run(tmp_path / "run", planted(people=8, noise=1.2, seed=3))))
    firsts = [ranking.hits(row).argmax() + 1 for row in range(len(ranking.query))]
    assert firsts == ranking.metrics.first_hit.tolist() and ranking.valid.all()
    ranks = np.flatnonzero(ranking.hits(0)) + 1
    assert ranking.metrics.ap[0] == pytest.approx(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def test_ranking_uses_the_distance_and_camera_rule_of_the_test(tmp_path):
    data = planted(people=8, noise=1.2, seed=3)
    plain = open_run(write_run(tmp_path / "plain", data))
    changed = open_run(write_run(tmp_path / "changed", data, rerank=True))
    for run in (plain, changed):
        expected = run.content["results"]["infrared_to_visible"]
        assert np.nanmean(ranking_of(run).metrics.ap) == pytest.approx(expected["map"], abs=1e-6)
    assert plain.content["results"] != changed.content["results"]
    lax = write_run(tmp_path / "lax", data, camera_rule=False)
    with pytest.raises(DataError, match="measured by different rules"):
        open_runs([tmp_path / "plain", lax])


def test_ranking_uses_the_population_of_the_test(tmp_path):
    data = planted(people=40, cameras=2, noise=1.2)
    data["views"] = [f"{view}-query" if index % 2 else view for index, view in enumerate(data["views"])]
    settings = {"dataset": "BUPTCampus", "protocol": "bupt-campus"}
    full = open_run(write_run(tmp_path / "full", data, **settings))
    cut = open_run(write_run(tmp_path / "cut", data, population="official_cut", **settings))
    for run, queries in ((full, 40), (cut, 0)):
        ranking = ranking_of(run, "visible_to_infrared")
        assert len(ranking.query) == run.content["results"]["visible_to_infrared"]["queries"] == queries


def test_names_of_runs_differ(tmp_path):
    same = [write_run(tmp_path / seed / "Data/DinoGRL/DinoGRL", planted()) for seed in ("seed-0", "seed-1")]
    assert [run.name for run in open_runs(same)] == ["seed-0", "seed-1"]
    assert [run.name for run in open_runs([same[0], write_run(tmp_path / "base", planted())])] == ["DinoGRL", "base"]
    assert [run.name for run in open_runs(same[:1])] == ["DinoGRL"]
    write_run(same[0], planted(), iteration=3)
    files = [same[0] / f"logs/test-{iteration:05d}.json" for iteration in (3, 7)]
    assert [run.name for run in open_runs(files)] == ["DinoGRL, iteration 3", "DinoGRL, iteration 7"]


def test_second_population_is_nested_below_its_name(tmp_path):
    data = planted(people=40, cameras=2, noise=1.2)
    data["views"] = [f"{view}-query" if index % 2 else view for index, view in enumerate(data["views"])]
    settings = {"dataset": "BUPTCampus", "protocol": "bupt-campus", "population": "both"}
    (file,) = result_files(write_run(tmp_path / "run", data, **settings))
    test = open_test(file)
    names, results, intervals = zip(*test.populations(), strict=True)
    content = json.loads(file.read_text())
    assert names == ("full", "official_cut") and test.folder == tmp_path / "run"
    assert results[1] == content["results"]["official_cut"] and results[0]["official_cut"] == results[1]
    assert intervals[1] == content["intervals"]["official_cut"]
    assert [part["visible_to_infrared"]["queries"] for part in results] == [40, 0]


def test_errors_name_what_is_missing(run, tmp_path):
    with pytest.raises(DataError, match="save_features=true"):
        without_features = write_run(tmp_path / "bare", planted())
        (without_features / "logs/test-00007.npz").unlink()
        open_run(without_features)
    with pytest.raises(DataError, match="different tracklets"):
        check_comparable([run, open_run(write_run(tmp_path / "other", planted(people=5)))])
    with pytest.raises(DataError, match="visible_to_visible"):
        run.direction("visible_to_visible")
    with pytest.raises(DataError, match="holds 2 runs"):
        write_run(tmp_path / "two/a", planted())
        write_run(tmp_path / "two/b", planted())
        open_run(tmp_path / "two")
    with pytest.raises(DataError, match="no run capsule"):
        configuration_of(run)
    file = run.file.with_name("test-00009.json")
    file.write_text(json.dumps({"results": run.content["results"], "card": {"protocol": "unknown"}}))
    with pytest.raises(DataError, match=r"test-00009\.json names no known protocol"):
        open_run(file)
    file.write_text("{}")
    with pytest.raises(DataError, match="no `results`"):
        read_any_test(file)
