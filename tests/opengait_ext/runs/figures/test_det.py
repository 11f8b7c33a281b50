"""DET curves against a slow count of every search, and the figure that shows them."""

import json
from statistics import NormalDist

import numpy as np
import pytest

from opengait.errors import DataError
from opengait_ext.evaluation.calibration_file import load_calibration
from opengait_ext.evaluation.open_set import Searches
from opengait_ext.runs.figures.det import draw_det, open_set_of
from opengait_ext.runs.tested_run import open_run
from tests.opengait_ext.runs.stand_in_runs import command
from tests.opengait_ext.runs.stand_in_test import planted, write_run

DIRECTIONS = ["infrared_to_visible", "visible_to_infrared"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(write_run(tmp_path_factory.mktemp("det") / "run", planted(people=7, cameras=3, noise=0.7, seed=2)))


def slow_searches(run, direction):
    """Return [nearest, is mated, is right] of each search, one pair of tracklets after the other."""
    data, (one, other) = run.features, direction.split("_to_")
    rng, people, searches = np.random.default_rng(0), sorted(set(data.labels)), []
    for _ in range(20):
        enrolled = set(rng.permutation(people)[: len(people) // 2])
        for query in np.flatnonzero(data.types == one):
            candidates = []
            for entry in np.flatnonzero(data.types == other):
                if data.labels[entry] not in enrolled:
                    continue
                same = data.labels[entry] == data.labels[query]
                if same and data.views[entry][:2] == data.views[query][:2]:
                    continue
                difference = data.embeddings[query].astype(float) - data.embeddings[entry]
                candidates.append((np.mean([np.sqrt(np.sum(part**2)) for part in difference.T]), bool(same)))
            mated = any(same for _, same in candidates)
            if mated or data.labels[query] not in enrolled:
                nearest, right = min(candidates)
                searches.append((nearest, mated, right))
    return searches


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_curve_counts_searches(run, direction):
    measured = open_set_of(run, run.direction(direction))
    slow = slow_searches(run, direction)
    strangers = [nearest for nearest, mated, _ in slow if not mated]
    mates = [(nearest, right) for nearest, mated, right in slow if mated]
    assert len(strangers) > 100 < len(mates) and not all(right for _, right in mates)
    thresholds, fpir, fnir = measured.searches.curve()
    assert (np.diff(thresholds) > 0).all() and (np.diff(fpir) >= 0).all() and (np.diff(fnir) <= 0).all()
    # Halfway between distances, rounding decides nothing.
    gaps = np.append((thresholds[1:] + thresholds[:-1]) / 2, thresholds[-1] + 1)
    clear = np.diff(thresholds, append=np.inf) > 1e-5
    for threshold, false_positives, false_negatives in zip(gaps[clear], fpir[clear], fnir[clear], strict=True):
        assert false_positives == pytest.approx(np.mean([nearest <= threshold for nearest in strangers]))
        hits = [right and nearest <= threshold for nearest, right in mates]
        assert false_negatives == pytest.approx(1 - np.mean(hits))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_curve_and_operating_point_are_those_of_the_test(run, direction):
    measured = open_set_of(run, run.direction(direction), level=0.1)
    saved = json.loads(run.file.read_text())["open_set"][direction]
    _, fpir, fnir = measured.searches.curve()
    for rate, expected in zip(saved["fpir"], saved["fnir"], strict=True):
        assert fnir[fpir <= rate][-1:] == pytest.approx([expected])
    # 21 gallery tracklets, 3 of 7 people enrolled.
    assert measured.gallery == 9
    pair = load_calibration(run.file).pairs[tuple(direction.split("_to_"))]
    assert measured.threshold == pytest.approx(pair.distance_at(0.1, 9))
    at_threshold = (measured.searches.fpir(measured.threshold), measured.searches.fnir(measured.threshold))
    assert measured.operating_point == at_threshold and 0 < at_threshold[0] < 0.3


def test_curve_without_searches_of_a_kind():
    nearest, nobody = np.array([0.2, 0.1, np.inf]), np.zeros(3, dtype=bool)
    thresholds, fpir, fnir = Searches(nearest, nobody, nobody).curve()
    assert thresholds.tolist() == [0.1, 0.2] and fpir.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert np.isnan(fnir).all()
    _, fpir, fnir = Searches(nearest, ~nobody, np.array([True, False, True])).curve()
    assert np.isnan(fpir).all() and fnir == pytest.approx([2 / 3])


def test_figure_shows_curves_and_operating_points(run, tmp_path):
    worse = open_run(write_run(tmp_path / "worse", planted(people=7, cameras=3, noise=2.0, seed=2)), "baseline")
    figure = draw_det([worse, run], DIRECTIONS, level=0.1)
    assert [axes.get_title() for axes in figure.axes] == ["infrared to visible", "visible to infrared"]
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        curve, point = axes.lines[2:4]  # those of the baseline come before
        measured = open_set_of(run, run.direction(direction), level=0.1)
        _, fpir, fnir = measured.searches.curve()
        assert curve.get_xdata() == pytest.approx(fpir, abs=2e-6) and curve.get_ydata() == pytest.approx(fnir, abs=2e-6)
        assert (point.get_xdata()[0], point.get_ydata()[0]) == pytest.approx(measured.operating_point)
        label = axes.get_legend().get_texts()[1].get_text()
        assert label == "run: FPIR {:.1f} %, FNIR {:.1f} %".format(*(100 * r for r in measured.operating_point))
        assert axes.lines[4].get_xdata()[0] == 0.1
        # Axes are in normal deviates: 5 and 95 % are as far from 50 %.
        assert axes.xaxis.get_transform().transform([0.05, 0.5]) == pytest.approx([NormalDist().inv_cdf(0.05), 0])
        assert axes.get_xlabel() == "FPIR, %" and axes.get_xlim()[0] < 1 / (~measured.searches.mated).sum()


def test_what_has_no_curve_is_refused(run, tmp_path, capsys):
    few = write_run(tmp_path / "few", planted(people=3))
    assert command("figures")(["det", str(few), "--out", str(tmp_path / "det")]) == 2
    error = capsys.readouterr().err
    assert "has no DET curve" in error and "at least 4 people" in error and error.count("\n") == 1
    again = open_run(write_run(tmp_path / "again", planted(), rerank=True))
    with pytest.raises(DataError, match="was re-ranked"):
        draw_det([again], DIRECTIONS)
    assert command("figures")(["det", str(run.folder), "--level", "0.2", "--out", str(tmp_path / "det")]) == 0
    assert (tmp_path / "det.png").stat().st_size > 5000 and (tmp_path / "det.pdf").is_file()
