"""FPIR, FNIR and DET by hand, and calibrations against counting and simulation."""

from itertools import combinations

import numpy as np
import pytest

from opengait.errors import DataError
from opengait_ext.evaluation.calibrate import calibrate, compare_modalities, held_out, open_set_results
from opengait_ext.evaluation.calibration import LEVELS, PRIOR, fit_pair
from opengait_ext.evaluation.calibration_file import (
    Calibration,
    load_calibration,
    open_set_table,
    read_calibration,
    save_calibration,
)
from opengait_ext.evaluation.open_set import Searches, s_norm, search_enrolled, search_halves

A, B, C = "a", "b", "c"


def test_rates_by_hand():
    searches = Searches(
        nearest=np.array([0.1, 0.2, 0.3, 0.4, 0.15, 0.25, 0.35, 0.45]),
        mated=np.array([True] * 4 + [False] * 4),
        right=np.array([True, False, True, True] + [False] * 4),
    )
    assert searches.fpir(0.25) == 0.5 and searches.fpir(0.1) == 0.0
    # The mate is first and near enough in one of four searches, then in two, then in three.
    assert [searches.fnir(t) for t in (0.25, 0.3, 0.5)] == [0.75, 0.5, 0.25]
    assert searches.accepted(0.3) == pytest.approx(2 / 3)
    assert 0.25 < searches.threshold_at(0.5) < 0.35 and searches.threshold_at(0.49) < 0.25
    assert searches.threshold_at(1.0) == np.inf
    curve = searches.det((0.0, 0.5, 1.0))
    assert curve["fnir"] == [0.75, 0.5, 0.25] and curve["accepted"] == pytest.approx([1 / 3, 2 / 3, 1])


def test_equal_distances_are_accepted_or_refused_together():
    searches = Searches(np.full(10, 0.5), np.zeros(10, dtype=bool), np.zeros(10, dtype=bool))
    assert searches.fpir(searches.threshold_at(0.9)) == 0.0
    assert np.isnan(searches.fnir(1.0))


def test_searches_of_enrolled_people():
    distance = np.array([[0.1, 0.5, 0.9], [0.4, 0.3, 0.2], [0.3, 0.1, 0.6]])
    people = np.array([A, B, C])
    searches = search_enrolled(distance, people, people, np.array([A, B]))
    assert searches.nearest.tolist() == [0.1, 0.3, 0.1]
    assert searches.mated.tolist() == [True, True, False] and searches.right.tolist() == [True, True, False]
    removed = np.eye(3, dtype=bool)
    # Without their only mates, queries of enrolled people are no searches at all.
    searches = search_enrolled(distance, people, people, np.array([A, B]), removed)
    assert searches.nearest.tolist() == [0.1] and not searches.mated.any()
    assert np.isinf(search_enrolled(distance, people, people, np.array([])).nearest).all()


def people_at(count, tracklets, spread, rng, channels=16):
    """Return points of people in two modalities, their names and modalities."""
    centres = rng.standard_normal((count, 1, channels))
    points = centres + spread * rng.standard_normal((count, 2 * tracklets, channels))
    names = np.repeat([f"{n:04}" for n in range(count)], 2 * tracklets)
    types = np.tile(["visible"] * tracklets + ["infrared"] * tracklets, count)
    return points.reshape(-1, channels, 1).astype(np.float32), names, types


@pytest.fixture(scope="module")
def fitted():
    points, names, types = people_at(20, 2, 0.5, np.random.default_rng(0))
    return compare_modalities(points, names, types, None, ("infrared", "visible"))


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_rate_of_a_gallery_against_all_draws(size):
    """The weights of the order statistics against the nearest of every subset."""
    rng = np.random.default_rng(1)
    distance = rng.random((9, 7))
    distance[distance < 0.2] = 0.2  # ties
    people = np.array([*"aabbccdde"])
    gallery = np.array([*"abcdxyz"])
    calibration = fit_pair(distance, people, gallery)
    assert calibration.sizes.tolist() == [1, 2, 4, 6]
    if size not in calibration.sizes:
        return
    nearest = [
        [min(subset) for subset in combinations(row[gallery != person], size)]
        for row, person in zip(distance, people, strict=True)
    ]
    for level in (0.5, 0.7, 0.9):
        threshold = calibration.distance_at(level, size)
        points = np.unique(distance[people[:, None] != gallery])
        rates = np.array([(np.mean([np.mean(np.array(n) <= t) for n in nearest]) * 9 + 1) / 10 for t in points])
        expected = points[rates <= level + 1e-12]
        if len(expected) and rates[0] <= level:
            assert threshold == pytest.approx(expected[-1])


def test_rate_and_distance_are_inverse(fitted):
    calibration = fitted.fit()
    for size in (1, 3, 10, 38, 39, 500, 10**6):
        levels = np.array([1e-3, 0.01, 0.05, 0.2])
        distances = np.array([calibration.distance_at(level, size) for level in levels])
        assert (np.diff(distances) > 0).all()
        # Between equal quantiles the inverse is the larger rate.
        assert (calibration.fpir(distances, size) >= levels * (1 - 1e-6)).all()
    sizes = [1, 3, 10, 38, 100, 10**4, 10**7]
    assert (np.diff([calibration.distance_at(0.05, size) for size in sizes]) <= 0).all()
    assert calibration.fpir(np.array([-1e9]), 5) == pytest.approx(0, abs=1e-12)
    assert calibration.fpir(np.array([1e9]), 5) == pytest.approx(LEVELS[-1])


@pytest.mark.parametrize("size", [3, 20, 150])
def test_stated_rate_holds_for_other_people(size):
    """Non-mated searches of new people in galleries smaller and larger than the calibration's, over many trials."""
    rng = np.random.default_rng(size)
    rates = []
    for _ in range(40):
        points, names, types = people_at(25, 2, 0.6, rng)
        calibration = compare_modalities(points, names, types, None, ("infrared", "visible")).fit()
        gallery, queries = rng.standard_normal((2, 200, 16)) + 0.6 * rng.standard_normal((2, 200, 16))
        distance = np.linalg.norm(queries[:, None] - gallery[None, :size], axis=2)
        rates.append((distance.min(axis=1) <= calibration.distance_at(0.05, size)).mean())
    assert 0.005 < np.mean(rates) < 0.06


def test_stated_rate_holds_if_some_queries_are_near_everybody():
    rng = np.random.default_rng(5)

    def draw(queries, gallery):
        near = rng.random(queries) < 0.1
        return rng.gamma(30, 1 / 30, (queries, gallery)) - 0.6 * near[:, None]

    rates = {}
    for size in (10, 400):
        shares = []
        for _ in range(60):
            people = np.repeat(np.arange(20), 3)
            calibration = fit_pair(draw(60, 60), people, people)
            shares.append((draw(200, size).min(axis=1) <= calibration.distance_at(0.05, size)).mean())
        rates[size] = np.mean(shares)
    assert 0.02 < rates[10] < 0.06 and rates[400] < 0.06


def test_all_equal_distances_are_never_within_the_threshold():
    people = np.repeat(np.arange(8), 2)
    calibration = fit_pair(np.full((16, 16), 0.5), people, people)
    assert calibration.distance_at(0.05, 8) < 0.5


@pytest.mark.parametrize("size", [2, 20, 100])
def test_probabilities_are_calibrated(size):
    """Among nearest tracklets of new people, probabilities agree with frequencies (expected calibration error)."""
    rng = np.random.default_rng(7)
    points, names, types = people_at(60, 2, 0.55, rng)
    calibration = compare_modalities(points, names, types, None, ("infrared", "visible")).fit()
    stated, truth = [], []
    for _ in range(2000):
        gallery = rng.standard_normal((size, 16))
        person = gallery[0] if (mated := rng.random() < PRIOR) else rng.standard_normal(16)
        seen = gallery + 0.55 * rng.standard_normal(gallery.shape)
        distances = np.linalg.norm(seen - (person + 0.55 * rng.standard_normal(16)), axis=1)
        stated.append(calibration.probability(distances.min(), size))
        truth.append(mated and distances.argmin() == 0)
    stated, truth = np.array(stated), np.array(truth)
    error = 0.0
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1)):
        part = (stated >= low) & (stated <= high)
        error += part.mean() * abs(stated[part].mean() - truth[part].mean()) if part.any() else 0
    assert error < 0.08 and abs(stated.mean() - truth.mean()) < 0.06
    assert stated[truth].mean() > stated[~truth].mean() + 0.4


def test_probability_against_the_densities():
    """Normal distances: the fit is near the quotient of the densities where both occur."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(300), 2)
    distance = np.where(people[:, None] == people, rng.normal(1, 0.2, (600, 600)), rng.normal(2, 0.2, (600, 600)))
    calibration = fit_pair(distance, people, people)
    # At equal variance the odds of one tracklet are linear: llr = -(d - 1.5) / 0.04.
    assert calibration.weights[0] == pytest.approx(1 / 0.04, rel=0.1)
    assert calibration.probability(1.5, 1) == pytest.approx(0.5, abs=0.06)
    assert calibration.probability(1.2, 10**6) < calibration.probability(1.2, 100) < calibration.probability(1.2, 1)


def test_adaptation_to_another_scale(fitted):
    calibration = fitted.fit()
    strangers = fitted.distance[fitted.query_people[:, None] != fitted.gallery_people]
    moved = calibration.adapted(3 * strangers + 2)
    assert moved.distance_at(0.05, 10) == pytest.approx(3 * calibration.distance_at(0.05, 10) + 2)
    assert moved.probability(5.0, 9) == pytest.approx(calibration.probability(1.0, 9))
    # A tenth of pairs of the same person shift the threshold by a few percent of the spread.
    mixed = np.concatenate([strangers, np.full(len(strangers) // 10, 0.1)])
    shift = calibration.adapted(mixed).distance_at(0.05, 10) - calibration.distance_at(0.05, 10)
    assert -0.5 * calibration.spread < shift < 0
    with pytest.raises(DataError, match="equally far"):
        calibration.adapted(np.ones(30))


def test_s_norm_by_hand():
    distance = np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 9.0]])
    # Query 0 has cohort distances 1 and 2 (mean 1.5, deviation 0.5); gallery 2 has 4 and 9 (6.5, 2.5).
    normalised = s_norm(distance, distance[:, :2], distance)
    assert normalised[0, 2] == pytest.approx(((4 - 1.5) / 0.5 + (4 - 6.5) / 2.5) / 2)


def test_held_out_people_reach_the_rate():
    points, names, types = people_at(36, 2, 0.35, np.random.default_rng(3))
    comparison = compare_modalities(points, names, types, None, ("infrared", "visible"))
    result = held_out(comparison, 0.05)
    assert result.fpir < 0.07 and result.accepted > 0.7 and result.gallery == 12
    assert abs(result.accepted_s_norm - result.accepted_at_rate) < 0.2


def test_every_pair_of_modalities_and_the_camera_rule():
    points, names, types = people_at(12, 3, 0.3, np.random.default_rng(2))
    cameras = np.tile(np.arange(3), len(names) // 3)
    pairs, searches = calibrate(points, names, types, cameras, camera_rule=True)
    assert len(pairs) == 4 and all(pair.people == 12 and pair.queries == 36 for pair in pairs.values())
    same = compare_modalities(points, names, types, cameras, ("visible", "visible"), camera_rule=True)
    assert np.isinf(np.diagonal(same.distance)).all() and same.removed.sum() == 36
    cross = compare_modalities(points, names, types, cameras, ("visible", "infrared"), camera_rule=True)
    assert cross.removed.sum() == 36 and np.isfinite(cross.distance).all()
    assert search_halves(cross.distance, names[types == "visible"], names[types == "infrared"]).mated.mean() == 0.5
    results = open_set_results(searches)
    assert set(results) == {f"{a}_to_{b}" for a in ("visible", "infrared") for b in ("visible", "infrared")}
    assert "infrared to visible" in open_set_table(results)
    assert calibrate(points[:6], names[:6], types[:6]) == ({}, {})


def test_files(tmp_path, fitted):
    calibration = Calibration("abc", "euc", "test of X", {("infrared", "visible"): fitted.fit()})
    assert save_calibration(tmp_path, calibration) == tmp_path / "calibration.json"
    again = load_calibration(tmp_path)
    one, other = calibration.pairs["infrared", "visible"], again.pairs["infrared", "visible"]
    assert np.array_equal(one.distances, other.distances) and np.array_equal(one.weights, other.weights)
    assert (again.network, again.metric, again.source) == ("abc", "euc", "test of X")
    with pytest.raises(DataError, match=r"none\.json"):
        load_calibration(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "version 1, got 2"),
        ({"pairs": {}}, "no calibration"),
        ({"metric": 3}, "expected texts"),
        ({"pairs": {"red_to_blue": {}}}, "'red_to_blue'"),
        ({"pairs": {"infrared_to_visible": {}}}, "infrared_to_visible is damaged"),
        ({"sizes": [2, 1, 4, 8, 16, 32, 38]}, "ascending sizes"),
        ({"spread": -1}, "no negative spread"),
        ({"distances": [[0.0]]}, "ascending sizes"),
        ({"median": float("nan")}, "finite"),
    ],
)
def test_damaged_files_are_named(change, reason, fitted):
    content = Calibration("abc", "euc", "", {("infrared", "visible"): fitted.fit()}).content()
    if set(change) <= set(content):
        content |= change
    else:
        content["pairs"]["infrared_to_visible"] |= change
    with pytest.raises(DataError, match=reason):
        read_calibration(content, "f.json")
