"""Bootstrap intervals over seeds and queries: against loops, on made-up methods, and their coverage."""

import numpy as np
import pytest

from opengait_ext.evaluation.bootstrap import QueryValues, means_over_seeds


def made_up(seeds=3, people=20, directions=2, spread=0.0, shift=0.0, seed=0, uneven=True):
    """Return values of queries that differ by person, with a deviation of each seed."""
    rng = np.random.default_rng(seed)
    tests = []
    for _ in range(seeds):
        person = rng.normal(0, 1, people)
        deviation = rng.normal(0, spread)
        test = []
        for _ in range(directions):
            groups = np.repeat(np.arange(people), rng.integers(1, 4, people) if uneven else 2)
            noise = rng.normal(0, 0.3, (len(groups), 2))
            test.append(QueryValues(shift + deviation + person[groups][:, None] + noise, groups))
        tests.append(test)
    return tests


def by_loops(tests, same_people, resamples, seed):
    """Evaluate the definition, query by query, with the same draws."""
    rng = np.random.default_rng(seed)
    seeds = len(tests)
    slots = rng.integers(0, seeds, (resamples, seeds))
    people = [sorted({group for direction in test for group in direction.groups.tolist()}) for test in tests]
    draws = []
    for number in range(seeds):
        if number and same_people:
            draws.append(draws[0])
            continue
        rows = resamples if same_people else resamples * seeds
        drawn = rng.integers(0, len(people[number]), (rows, len(people[number])))
        drawn = drawn.reshape(resamples, -1, len(people[number]))
        draws.append(np.repeat(drawn, seeds, axis=1) if same_people else drawn)

    def mean(number, who):
        directions = [
            np.mean([value for w in who for value in d.values[d.groups == people[number][w]]], axis=0)
            for d in tests[number]
        ]
        return np.array([*directions, sum(directions) / len(directions)])

    whole = np.array([mean(number, range(len(people[number]))) for number in range(seeds)])
    stars = np.array(
        [
            [[mean(number, draws[number][row, slot]) for slot in range(seeds)] for row in range(resamples)]
            for number in range(seeds)
        ]
    )
    explained = 0 if same_people else stars.reshape(seeds, -1, *whole.shape[1:]).var(axis=1).mean(axis=0)
    variance = whole.var(axis=0, ddof=1)
    quantile = {2: 12.706, 3: 4.303}[seeds]
    stretch = quantile / 1.96 * np.sqrt(seeds / (seeds - 1)) * np.sqrt(np.maximum(0, 1 - explained / variance))
    samples = []
    for row in range(resamples):
        sample = whole.mean(axis=0).copy()
        for slot, number in enumerate(slots[row]):
            sample += (stars[number, row, slot] - whole[number]) / seeds
            sample += stretch * (whole[number] - whole.mean(axis=0)) / seeds
        samples.append(sample)
    return np.quantile(samples, [0.025, 0.975], axis=0)


@pytest.mark.parametrize("seeds", [2, 3])
@pytest.mark.parametrize("same_people", [False, True])
def test_intervals_equal_loops(seeds, same_people):
    tests = made_up(seeds, people=6, spread=2.0)
    means = means_over_seeds(tests, same_people, resamples=40, seed=5)
    low, high = by_loops(tests, same_people, 40, 5)
    np.testing.assert_allclose(means.low, low, rtol=1e-9)
    np.testing.assert_allclose(means.high, high, rtol=1e-9)
    values = np.array([[direction.values.mean(axis=0) for direction in test] for test in tests])
    np.testing.assert_allclose(means.mean[:2], values.mean(axis=0))
    np.testing.assert_allclose(means.mean[2], values.mean(axis=(0, 1)))
    np.testing.assert_allclose(means.spread[:2], values.std(axis=0, ddof=1))


def difference(one, other):
    return [
        [QueryValues(a.values - b.values, a.groups) for a, b in zip(*pair, strict=True)]
        for pair in zip(one, other, strict=True)
    ]


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("same_people", [False, True])
def test_equal_methods_do_not_differ(seeds, same_people):
    tests = made_up(seeds)
    means = means_over_seeds(difference(tests, tests), same_people, 200)
    assert (means.mean == 0).all() and (means.low == 0).all() and (means.high == 0).all()


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_clear_shift_is_real_and_the_pairing_shows_it(seeds):
    tests = made_up(seeds)
    rng = np.random.default_rng(9)
    better = [
        [QueryValues(d.values + 0.3 + rng.normal(0, 0.1, d.values.shape), d.groups) for d in test] for test in tests
    ]
    paired = means_over_seeds(difference(better, tests), False)
    assert (paired.low > 0.2).all() and (paired.high < 0.4).all()
    apart = [means_over_seeds(method, False) for method in (better, tests)]
    assert (apart[0].low < apart[1].high).all(), "the intervals of the two overlap"


def test_one_seed_is_the_bootstrap_over_people():
    (test,) = made_up(1, people=40, directions=1, uneven=False)
    means = means_over_seeds([test], False, 2000)
    person = test[0].values.reshape(40, 2, 2).mean(axis=1)
    width = 2 * 1.96 * person.std(axis=0) / np.sqrt(40)
    np.testing.assert_allclose((means.high - means.low)[0], width, rtol=0.1)
    assert np.isnan(means.spread).all()


def test_people_without_queries_in_a_direction():
    values = np.array([[1.0], [0.0]])
    test = [QueryValues(values, np.array(["a", "b"])), QueryValues(values[:1], np.array(["a"]))]
    means = means_over_seeds([test, test], False, 100)
    assert np.isfinite(means.low).all() and means.mean.ravel().tolist() == [0.5, 1.0, 0.75]


@pytest.mark.parametrize(
    ("spread", "same_people", "at_least"),
    [(0.0, False, 0.94), (0.2, False, 0.9), (2.0, False, 0.91), (2.0, True, 0.91)],
)
def test_coverage_with_three_seeds(spread, same_people, at_least):
    """The true mean is 0. Without the stretch, the third case would be covered in 75% of the cases."""
    covered = []
    for number in range(150):
        tests = made_up(3, people=25, directions=1, spread=spread, seed=number, uneven=False)
        if same_people:
            # The same draw of people in every test, so that only the seeds vary.
            common = tests[0][0].values - tests[0][0].values.mean(axis=0)
            tests = [
                [QueryValues(common + np.random.default_rng([number, s]).normal(0, spread), tests[0][0].groups)]
                for s in range(3)
            ]
        means = means_over_seeds(tests, same_people, 200, seed=number)
        covered.append((means.low <= 0) & (means.high >= 0))
    assert at_least <= np.mean(covered) <= 0.995
