"""Figures 5 and 6, CMC curves and the embedding map, on planted descriptors."""

import numpy as np
import pytest
from PIL import Image

from opengait.errors import ConfigError, DataError
from opengait_ext.runs.figures.curves import draw_cmc, draw_distances, gap_of
from opengait_ext.runs.figures.embedding import draw_embedding_map, project
from opengait_ext.runs.figures.of_runs import draw, queries_of
from opengait_ext.runs.figures.ranked_lists import choose_queries, draw_ranked_lists, film_strip
from opengait_ext.runs.figures.style import CORRECT, WRONG, save_figure
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.tested_run import open_run
from tests.opengait_ext.runs.stand_in_runs import command
from tests.opengait_ext.runs.stand_in_test import planted, write_run

DIRECTIONS = ["infrared_to_visible", "visible_to_infrared"]


@pytest.fixture
def run(tmp_path):
    return open_run(write_run(tmp_path / "run", planted()))


def ranking_of(run, direction="infrared_to_visible"):
    return Ranking(run, run.direction(direction))


def frames(index, count):
    return np.full((count, 8, 4, 3), index, dtype=np.uint8)


def test_gap_is_the_difference_of_the_means(run):
    ranking, gap = ranking_of(run), gap_of(ranking_of(run))
    slow = {True: [], False: []}
    for query in ranking.query:
        for other in ranking.gallery:
            a, b = run.features.embeddings[query], run.features.embeddings[other]
            same = run.features.labels[query] == run.features.labels[other]
            if same and run.features.views[query][:2] == run.features.views[other][:2]:
                continue
            slow[bool(same)].append(np.linalg.norm(a - b, axis=0).mean())
    assert gap.matching == pytest.approx(np.mean(slow[True]), rel=1e-5)
    assert gap.other == pytest.approx(np.mean(slow[False]), rel=1e-5)
    assert gap.delta > 1


def test_two_runs_are_drawn_above_each_other(run, tmp_path):
    worse = open_run(write_run(tmp_path / "worse", planted(noise=1.0)), "baseline")
    figure = draw_distances([worse, run], DIRECTIONS[0])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0].startswith("baseline: gap") and titles[1].startswith("run: gap")
    assert float(titles[0].split()[-1]) < float(titles[1].split()[-1])
    curves = draw_cmc([worse, run], DIRECTIONS)
    assert [axes.get_title() for axes in curves.axes] == ["infrared to visible", "visible to infrared"]
    assert all(len(axes.lines) == 2 for axes in curves.axes)
    assert curves.axes[0].lines[1].get_ydata()[0] == 100


def test_planted_wrong_match_is_framed_in_red(tmp_path):
    data = planted(noise=0.01)
    wrong = data["types"].index("visible")  # person 0, camera 1
    # The visible tracklet of another person and camera moves onto the first infrared query.
    other = next(i for i, k in enumerate(data["types"]) if k == "visible" and data["labels"][i] == "0003")
    data["embeddings"][other] = data["embeddings"][0]
    run = open_run(write_run(tmp_path / "run", data))
    figure = draw_ranked_lists([run], DIRECTIONS[0], [0], frames, top=3)
    cells = figure.axes
    colours = [axes.spines["left"].get_edgecolor()[:3] for axes in cells[1:]]
    assert np.allclose(colours[0], rgb(WRONG)) and np.allclose(colours[1], rgb(CORRECT))
    # The line style shows it too, for readers who cannot tell the colours apart.
    assert [axes.spines["left"].get_linestyle() for axes in cells[1:3]] == ["--", "-"]
    assert "\u2717 wrong" in cells[1].get_title() and "\u2713 correct" in cells[2].get_title()
    assert "wrong" in cells[1].get_title() and "0003" in cells[1].get_title()
    assert "correct" in cells[2].get_title() and "0000" in cells[2].get_title()
    assert cells[1].images[0].get_array()[0, 0, 0] == other
    png, pdf = save_figure(figure, tmp_path / "lists")
    pixels = np.asarray(Image.open(png).convert("RGB")).reshape(-1, 3)
    assert (np.abs(pixels - 255 * np.array(rgb(WRONG))).max(axis=1) < 3).sum() > 100
    assert (np.abs(pixels - 255 * np.array(rgb(CORRECT))).max(axis=1) < 3).sum() > 100
    assert pdf.read_bytes().startswith(b"%PDF") and wrong != other


def rgb(colour):
    return [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]


def test_camera_rule_removes_the_same_camera_from_the_list(run):
    ranking = ranking_of(run)
    figure = draw_ranked_lists([run], DIRECTIONS[0], [int(ranking.query[0])], frames, top=12)
    shown = [axes.get_title().split()[1] for axes in figure.axes[1:] if axes.axison]
    assert len(shown) == 11 and shown.count("0000") == 1


def test_choice_of_queries(tmp_path):
    run = open_run(write_run(tmp_path / "run", planted(people=8, noise=1.2, seed=3)))
    ranking = ranking_of(run)
    precision = dict(zip(ranking.query.tolist(), ranking.metrics.ap, strict=True))
    worst = choose_queries(ranking, 3, "worst")
    assert [precision[query] for query in worst] == sorted(precision.values())[:3]
    first, again, other = (choose_queries(ranking, 4, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    of_person = [query for query in ranking.query if run.features.labels[query] == "0003"]
    assert sorted(queries_of(ranking, 2, "random", ["3"], 0)) == of_person
    with pytest.raises(DataError, match="random, worst or best"):
        choose_queries(ranking, 1, "odd")
    with pytest.raises(DataError, match="not a query of infrared_to_visible"):
        draw_ranked_lists([run], DIRECTIONS[0], [int(ranking.gallery[0])], frames)
    with pytest.raises(DataError, match="No query of 99"):
        queries_of(ranking, 1, "random", ["99"], 0)


def test_pca_agrees_with_the_covariance(run):
    flat = run.features.embeddings.reshape(len(run.features), -1).astype(np.float64)
    plane = project(run.features.embeddings)
    values = np.sort(np.linalg.eigvalsh(np.cov(flat.T)))[::-1][:2]
    assert plane.var(axis=0, ddof=1) == pytest.approx(values)
    assert plane[:, 0] @ plane[:, 1] == pytest.approx(0, abs=1e-8)
    assert project(run.features.embeddings[:1]).shape == (1, 2)
    with pytest.raises(ConfigError, match="not 'umap'"):
        project(run.features.embeddings, "umap")


def test_map_shows_people_by_colour_and_modalities_by_shape(run, tmp_path):
    figure = draw_embedding_map([run], people=4)
    assert "4 people, 16 tracklets" in figure.axes[0].get_title()
    groups = [group for group in figure.axes[0].collections if len(group.get_offsets())]
    assert len(groups) == 8 and sum(len(group.get_offsets()) for group in groups) == 16
    assert save_figure(figure, tmp_path / "map")[0].stat().st_size > 5000


def test_film_strips():
    strip = film_strip(np.stack([np.zeros((5, 3, 3), np.uint8), np.full((5, 3, 3), 9, np.uint8)]))
    assert strip.shape == (5, 8, 3) and strip[0, :, 0].tolist() == [0, 0, 0, 255, 255, 9, 9, 9]


@pytest.mark.parametrize("kind", ["lists", "distances", "cmc", "map", "silhouettes", "attention", "steps"])
def test_unknown_direction_is_refused_whatever_is_drawn(run, tmp_path, capsys, kind):
    arguments = [kind, str(run.folder), "--direction", "nowhere", "--out", str(tmp_path / "figure")]
    assert command("figures")(arguments) == 2
    error = capsys.readouterr().err
    assert "no direction nowhere; choose one of infrared_to_visible" in error and error.count("\n") == 1


def test_draw_takes_keyword_arguments(run, tmp_path):
    write_run(tmp_path / "worse", planted(noise=1.0))
    figure = draw("distances", tmp_path / "run", against=tmp_path / "worse", direction=DIRECTIONS[1])
    assert [axes.get_title(loc="left").partition(":")[0] for axes in figure.axes] == ["worse", "run"]
    assert figure.get_suptitle() == "visible to infrared"
