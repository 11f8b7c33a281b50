"""Bootstrap intervals against loops and closed forms, and their invariances."""

import math
from dataclasses import replace

import numpy as np
import pytest

from opengait.evaluation.ranking import rank_metrics
from opengait_ext.evaluation import bootstrap
from opengait_ext.evaluation.bootstrap import bootstrap_means, intervals_of
from opengait_ext.evaluation.metrics import RANKS


def ranking(queries=60, gallery=40, people=8, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, people, queries), rng.integers(0, people, gallery)
    distance = rng.random((queries, gallery)) - 0.3 * (ids[0][:, None] == ids[1][None])
    return rank_metrics(distance, *ids), ids[0]


def means_by_loops(values, groups, resamples, seed):
    """Evaluate the definition: draw groups, concatenate their rows, take the mean."""
    rng = np.random.default_rng(seed)
    count = groups.max() + 1
    rows = []
    for draw in rng.integers(0, count, (resamples, count)):
        drawn_rows = np.concatenate([values[groups == group] for group in draw])
        rows.append(drawn_rows.mean(axis=0))
    return np.array(rows)


@pytest.mark.parametrize("grouped", [False, True])
def test_means_equal_loops(grouped):
    rng = np.random.default_rng(1)
    values = rng.random((30, 3))
    groups = rng.integers(0, 7, 30) if grouped else np.arange(30)
    groups = np.unique(groups, return_inverse=True)[1]
    means = bootstrap_means(values, groups, 50, seed=4)
    np.testing.assert_allclose(means, means_by_loops(values, groups, 50, 4), rtol=1e-12)


def test_block_size_does_not_change_intervals(monkeypatch):
    metrics, people = ranking()
    whole = intervals_of(metrics, people, resamples=200)
    monkeypatch.setattr(bootstrap, "_BLOCK", 8 * 7)
    assert intervals_of(metrics, people, resamples=200) == whole


def test_percentiles_of_the_means_of_valid_queries():
    metrics, _ = ranking(people=60)
    valid = metrics.first_hit > 0
    assert 0 < valid.sum() < len(valid)
    intervals = intervals_of(metrics, resamples=300, seed=2)
    columns = [*(metrics.first_hit[valid] <= rank for rank in RANKS), metrics.ap[valid], metrics.inp[valid]]
    means = means_by_loops(np.column_stack(columns).astype(float), np.arange(valid.sum()), 300, 2)
    for (name, interval), column in zip(intervals.items(), means.T, strict=True):
        assert interval == pytest.approx((np.percentile(column, 2.5), np.percentile(column, 97.5))), name
    assert list(intervals) == ["rank1", "rank5", "rank10", "rank20", "map", "minp"]


def test_interval_of_rank_1_has_the_binomial_width():
    queries = 2000
    hits = np.random.default_rng(3).random(queries) < 0.7
    distance = np.where(np.column_stack([hits, ~hits]), 0.0, 1.0)
    metrics = rank_metrics(distance, np.zeros(queries, int), np.array([0, 1]))
    low, high = intervals_of(metrics)["rank1"]
    share = hits.mean()
    width = 2 * 1.96 * math.sqrt(share * (1 - share) / queries)
    assert low < share < high
    assert high - low == pytest.approx(width, rel=0.12)


def test_drawing_people_widens_the_interval():
    """With m equal queries per person, drawing people equals drawing from one query of each."""
    metrics, _ = ranking(queries=40)
    copies = 9
    many = replace(metrics, **{name: np.tile(getattr(metrics, name), copies) for name in ("ap", "inp", "first_hit")})
    person = np.tile(np.arange(40), copies)
    for name, interval in intervals_of(many, person).items():
        assert interval == pytest.approx(intervals_of(metrics)[name]), name
    (low, high), (narrow_low, narrow_high) = intervals_of(many, person)["map"], intervals_of(many)["map"]
    assert high - low > 2 * (narrow_high - narrow_low)


def test_groups_may_be_strings():
    metrics, people = ranking()
    assert intervals_of(metrics, [f"person {number}" for number in people]) == intervals_of(metrics, people)


def test_queries_without_a_match_are_skipped_in_their_group():
    metrics, people = ranking(people=60)
    valid = metrics.first_hit > 0
    assert 0 < valid.sum() < len(valid)
    kept = replace(metrics, **{name: getattr(metrics, name)[valid] for name in ("ap", "inp", "first_hit")})
    assert intervals_of(metrics, people % 9) == intervals_of(kept, people[valid] % 9)


def test_seed_and_level():
    metrics, _ = ranking()
    assert intervals_of(metrics) == intervals_of(metrics) != intervals_of(metrics, seed=1)
    (low, high), (wider_low, wider_high) = (
        intervals_of(metrics, level=0.5)["map"],
        intervals_of(metrics, level=0.99)["map"],
    )
    assert wider_low < low < metrics.mean_ap < high < wider_high


def test_no_valid_query_and_one_valid_query():
    assert intervals_of(rank_metrics(np.zeros((2, 3)), [1, 2], [3, 4, 5])) is None
    one = intervals_of(rank_metrics(np.array([[0.0, 1.0], [0.0, 1.0]]), [1, 9], [2, 1]))
    assert one["rank1"] == (0, 0) and one["rank5"] == (1, 1) and one["map"] == (0.5, 0.5)
