"""When tests stop improving."""

import math

import pytest

from opengait.engine.early_stop import EarlyStop
from opengait.errors import ConfigError


def after(values, patience=2, state=None):
    stop = EarlyStop("a/map", patience, state)
    for value in values:
        stop.record(10 * (len(stop.tests) + 1), value)
    return stop


def by_hand(values, patience):
    """Return after how many tests the training ends: the first after which `patience` ones in a row set no record."""
    record, without = -math.inf, 0
    for number, value in enumerate(values, 1):
        without = 0 if value > record else without + 1
        record = max(record, value)
        if without == patience:
            return number
    return None


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize(
    "values",
    [
        [1.0],
        [1, 2, 3, 4, 5.0],
        [5, 4, 3, 2, 1.0],
        [1, 1, 1, 1.0],
        [1, 3, 2, 3, 2, 4, 1, 2, 3, 4.0],
        [-0.2, -0.5, -0.1, -0.3],
    ],
)
def test_a_training_ends_after_tests_without_a_record(values, patience):
    ends = [number for number in range(1, len(values) + 1) if after(values[:number], patience).over]
    assert (ends or [None])[0] == by_hand(values, patience)


def test_the_best_is_the_first_of_equal_ones_and_never_nan():
    stop = after([math.nan, 2.0, 3.0, 3.0, 1.0], patience=9)
    assert stop.best == (30, 3.0) and stop.tests_since_best == 2 and not stop.over
    assert after([math.nan, math.nan, math.nan]).over
    assert EarlyStop("a/map", 1).best is None and not EarlyStop("a/map", 1).over


def test_a_continued_run_decides_as_an_unbroken_one():
    values = [0.1, 0.3, 0.2, 1 / 3, 0.2]
    whole, first = after(values), after(values[:3])
    second = after(values[3:], state=first.state_dict())
    assert second.tests == whole.tests == [(10, 0.1), (20, 0.3), (30, 0.2), (40, 1 / 3), (50, 0.2)]
    assert (second.best, second.over) == (whole.best, whole.over) == ((40, 1 / 3), False)


def test_tests_by_another_metric_do_not_count():
    assert EarlyStop("a/map", 1, after([2.0, 1.0]).state_dict()).tests
    assert not EarlyStop("a/rank1", 1, after([2.0, 1.0]).state_dict()).tests


def test_the_metric_of_a_test():
    numbers = {"scalar/a/map": 0.25, "scalar/b/map": 0.75, "scalar/a/rank1": 0.5}
    assert EarlyStop("a/rank1", 1).value_of(numbers) == 0.5
    assert EarlyStop("scalar/a/rank1", 1).value_of(numbers) == 0.5
    assert EarlyStop(["a/map", "b/map"], 1).value_of(numbers) == 0.5
    with pytest.raises(ConfigError, match=r"metric: the test has no 'b/rank1'.* a/map, a/rank1, b/map"):
        EarlyStop(["a/map", "b/rank1"], 1).value_of(numbers)
    with pytest.raises(ConfigError, match=r"early_stop\.metric"):
        EarlyStop([], 1)


def test_a_sentence_about_each_test():
    assert after([0.5]).text() == "Early stop: a/map is 0.5000, the best so far."
    assert "the best, 0.5000 at iteration 10, was 1 of 2 tests ago" in after([0.5, 0.4]).text()
