"""The time of a training: continued runs count every iteration once."""

import pytest

from opengait.engine.times import FILE, record_time, training_seconds


def test_a_continued_run_counts_every_iteration_once(tmp_path):
    record_time(tmp_path, 0, 10, 5.0)
    record_time(tmp_path, 0, 20, 11.0)
    # Lost after the checkpoint of iteration 10, so its second half is done again.
    record_time(tmp_path, 10, 20, 7.0)
    record_time(tmp_path, 10, 30, 12.0)
    assert [training_seconds(tmp_path, iteration) for iteration in (10, 20, 30, 40)] == [5, 12, 17, None]
    record_time(tmp_path, 0, 10, 3.0)
    assert [training_seconds(tmp_path, iteration) for iteration in (10, 20)] == [3, None], "a new run"


@pytest.mark.parametrize("content", [None, "", "ten 3", "10", "10 soon"])
def test_an_unknown_beginning_stays_unknown(content, tmp_path):
    if content is not None:
        (tmp_path / FILE).write_text(content)
    record_time(tmp_path, 10, 20, 7.0)
    assert training_seconds(tmp_path, 20) is None
