"""Figures 5 and 6, CMC curves and the embedding map, on planted descriptors."""

import numpy as np
import pytest
from PIL import Image

from opengait.errors import ConfigError, DataError
from opengait_ext.runs.figures.curves import draw_cmc, draw_distances, gap_of
from opengait_ext.runs.figures.embedding import draw_embedding_map, project
from opengait_ext.runs.figures.ranked_lists import choose_queries, draw_ranked_lists, film_strip
from opengait_ext.runs.figures.style import RIGHT, WRONG, save_figure
from opengait_ext.runs.tested_run import Ranking, check_comparable, open_run, open_runs
from tests.opengait_ext.runs.stand_in_test import planted, write_run

DIRECTIONS = ["infrared_to_visible", "visible_to_infrared"]


@pytest.fixture
def run(tmp_path):
    return open_run(write_run(tmp_path / "run", planted()))


def ranking(run, direction="infrared_to_visible"):
    return Ranking(run, run.direction(direction))


def frames(index, count):
    return np.full((count, 8, 4, 3), index, dtype=np.uint8)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_ranking_gives_the_numbers_of_the_test(tmp_path, direction):
    run = open_run(write_run(tmp_path / "run", planted(people=8, noise=1.2, seed=3)))
    found, told = ranking(run, direction), run.content["results"][direction]
    assert np.nanmean(found.average_precision()) == pytest.approx(told["map"], abs=1e-6)
    curve = found.cmc()
    assert curve[[0, 4, 9, 19]] == pytest.approx([told[f"rank{rank}"] for rank in (1, 5, 10, 20)], abs=1e-6)
    assert 0.1 < told["rank1"] < 1  # else the case tells nothing
    assert not found.hits[np.take_along_axis(found.removed, found.order, axis=1)].any()


def test_the_gap_is_that_of_the_means(run):
    found, gap = ranking(run), gap_of(ranking(run))
    slow = {True: [], False: []}
    for query in found.query:
        for other in found.gallery:
            a, b = run.features.embeddings[query], run.features.embeddings[other]
            same = run.features.labels[query] == run.features.labels[other]
            if same and run.features.views[query][:2] == run.features.views[other][:2]:
                continue
            slow[bool(same)].append(np.linalg.norm(a - b, axis=0).mean())
    assert gap.matching == pytest.approx(np.mean(slow[True]), rel=1e-5)
    assert gap.other == pytest.approx(np.mean(slow[False]), rel=1e-5)
    assert gap.delta > 1


def test_two_runs_stand_above_each_other(run, tmp_path):
    worse = open_run(write_run(tmp_path / "worse", planted(noise=1.0)), "baseline")
    figure = draw_distances([worse, run], DIRECTIONS[0])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0].startswith("baseline: gap") and titles[1].startswith("run: gap")
    assert float(titles[0].split()[-1]) < float(titles[1].split()[-1])
    curves = draw_cmc([worse, run], DIRECTIONS)
    assert [axes.get_title() for axes in curves.axes] == ["infrared to visible", "visible to infrared"]
    assert all(len(axes.lines) == 2 for axes in curves.axes)
    assert curves.axes[0].lines[1].get_ydata()[0] == 100


def test_a_planted_wrong_match_is_framed_in_red(tmp_path):
    data = planted(noise=0.01)
    wrong = data["types"].index("visible")  # person 0, camera 1
    # The visible tracklet of another person and camera moves onto the first infrared query.
    other = next(i for i, k in enumerate(data["types"]) if k == "visible" and data["labels"][i] == "0003")
    data["embeddings"][other] = data["embeddings"][0]
    run = open_run(write_run(tmp_path / "run", data))
    figure = draw_ranked_lists([run], DIRECTIONS[0], [0], frames, top=3)
    cells = figure.axes
    colours = [axes.spines["left"].get_edgecolor()[:3] for axes in cells[1:]]
    assert np.allclose(colours[0], rgb(WRONG)) and np.allclose(colours[1], rgb(RIGHT))
    # Told by the line too, for whoever does not see the colours.
    assert [axes.spines["left"].get_linestyle() for axes in cells[1:3]] == ["--", "-"]
    assert "\u2717 wrong" in cells[1].get_title() and "\u2713 right" in cells[2].get_title()
    assert "wrong" in cells[1].get_title() and "0003" in cells[1].get_title()
    assert "right" in cells[2].get_title() and "0000" in cells[2].get_title()
    assert cells[1].images[0].get_array()[0, 0, 0] == other
    png, pdf = save_figure(figure, tmp_path / "lists")
    pixels = np.asarray(Image.open(png).convert("RGB")).reshape(-1, 3)
    assert (np.abs(pixels - 255 * np.array(rgb(WRONG))).max(axis=1) < 3).sum() > 100
    assert (np.abs(pixels - 255 * np.array(rgb(RIGHT))).max(axis=1) < 3).sum() > 100
    assert pdf.read_bytes().startswith(b"%PDF") and wrong != other


def rgb(colour):
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def test_the_camera_rule_keeps_the_own_camera_out_of_the_list(run):
    found = ranking(run)
    figure = draw_ranked_lists([run], DIRECTIONS[0], [int(found.query[0])], frames, top=12)
    shown = [axes.get_title().split()[1] for axes in figure.axes[1:] if axes.axison]
    assert len(shown) == 11 and shown.count("0000") == 1


def test_queries_are_chosen(tmp_path):
    run = open_run(write_run(tmp_path / "run", planted(people=8, noise=1.2, seed=3)))
    found = ranking(run)
    precision = dict(zip(found.query.tolist(), found.average_precision(), strict=True))
    worst = choose_queries(found, 3, "worst")
    assert [precision[query] for query in worst] == sorted(precision.values())[:3]
    assert choose_queries(found, 4, seed=1) == choose_queries(found, 4, seed=1) != choose_queries(found, 4, seed=2)
    with pytest.raises(DataError, match="random, worst or best"):
        choose_queries(found, 1, "odd")
    with pytest.raises(DataError, match="no query of infrared_to_visible"):
        draw_ranked_lists([run], DIRECTIONS[0], [int(found.gallery[0])], frames)


def test_pca_against_the_covariance(run):
    flat = run.features.embeddings.reshape(len(run.features), -1).astype(np.float64)
    plane = project(run.features.embeddings)
    values = np.sort(np.linalg.eigvalsh(np.cov(flat.T)))[::-1][:2]
    assert plane.var(axis=0, ddof=1) == pytest.approx(values)
    assert plane[:, 0] @ plane[:, 1] == pytest.approx(0, abs=1e-8)
    assert project(run.features.embeddings[:1]).shape == (1, 2)
    with pytest.raises(ConfigError, match="not by 'umap'"):
        project(run.features.embeddings, "umap")


def test_the_map_tells_people_by_colour_and_modality_by_shape(run, tmp_path):
    figure = draw_embedding_map([run], people=4)
    assert "4 people, 16 tracklets" in figure.axes[0].get_title()
    groups = [group for group in figure.axes[0].collections if len(group.get_offsets())]
    assert len(groups) == 8 and sum(len(group.get_offsets()) for group in groups) == 16
    assert save_figure(figure, tmp_path / "map")[0].stat().st_size > 5000


def test_runs_are_told_apart_by_the_folder_that_differs(tmp_path):
    same = [write_run(tmp_path / seed / "Data/DinoGRL/DinoGRL", planted()) for seed in ("seed-0", "seed-1")]
    assert [run.name for run in open_runs(same)] == ["seed-0", "seed-1"]
    assert [run.name for run in open_runs([same[0], write_run(tmp_path / "base", planted())])] == ["DinoGRL", "base"]
    assert [run.name for run in open_runs(same[:1])] == ["DinoGRL"]
    write_run(same[0], planted(), iteration=3)
    files = [same[0] / f"logs/test-{iteration:05d}.json" for iteration in (3, 7)]
    assert [run.name for run in open_runs(files)] == ["DinoGRL, iteration 3", "DinoGRL, iteration 7"]


def test_figures_measure_as_the_test_did(tmp_path):
    data = planted(people=8, noise=1.2, seed=3)
    plain = open_run(write_run(tmp_path / "plain", data))
    changed = open_run(write_run(tmp_path / "changed", data, rerank=True))
    for run in (plain, changed):
        told = run.content["results"]["infrared_to_visible"]
        assert np.nanmean(ranking(run).average_precision()) == pytest.approx(told["map"], abs=1e-6)
    assert plain.content["results"] != changed.content["results"]
    lax = write_run(tmp_path / "lax", data, camera_rule=False)
    with pytest.raises(DataError, match="measured by different rules"):
        open_runs([tmp_path / "plain", lax])


def test_the_population_is_the_one_that_was_measured(tmp_path):
    data = planted(people=40, cameras=2, noise=1.2)
    data["views"] = [f"{view}-query" if place % 2 else view for place, view in enumerate(data["views"])]
    settings = {"dataset": "BUPTCampus", "protocol": "bupt-campus"}
    full = open_run(write_run(tmp_path / "full", data, **settings))
    cut = open_run(write_run(tmp_path / "cut", data, population="official_cut", **settings))
    for run, queries in ((full, 40), (cut, 0)):
        found = ranking(run, "visible_to_infrared")
        assert len(found.query) == run.content["results"]["visible_to_infrared"]["queries"] == queries


def test_film_strips():
    strip = film_strip(np.stack([np.zeros((5, 3, 3), np.uint8), np.full((5, 3, 3), 9, np.uint8)]))
    assert strip.shape == (5, 8, 3) and strip[0, :, 0].tolist() == [0, 0, 0, 255, 255, 9, 9, 9]


def test_what_is_missing_is_said(run, tmp_path):
    with pytest.raises(DataError, match="save_features=true"):
        bare = write_run(tmp_path / "bare", planted())
        (bare / "logs/test-00007.npz").unlink()
        open_run(bare)
    with pytest.raises(DataError, match="different tracklets"):
        check_comparable([run, open_run(write_run(tmp_path / "other", planted(people=5)))])
    with pytest.raises(DataError, match="not measured visible_to_visible"):
        run.direction("visible_to_visible")
    with pytest.raises(DataError, match="holds 2 runs"):
        write_run(tmp_path / "two/a", planted())
        write_run(tmp_path / "two/b", planted())
        open_run(tmp_path / "two")
