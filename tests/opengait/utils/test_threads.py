"""The ordered map over threads."""

import time

import pytest

from opengait.utils.threads import in_threads


def test_results_keep_their_order():
    assert list(in_threads(lambda pause: time.sleep(pause) or pause, [0.03, 0.0, 0.02, 0.0], threads=3)) == [
        0.03,
        0.0,
        0.02,
        0.0,
    ]


@pytest.mark.parametrize("ahead", [1, 3])
def test_jobs_are_taken_only_so_far_ahead(ahead):
    taken = []
    results = in_threads(str, (taken.append(job) or job for job in range(100)), threads=2, ahead=ahead)
    assert next(results) == "0" and len(taken) == 2 * ahead
    assert next(results) == "1" and len(taken) == 2 * ahead + 1
    results.close()


def test_an_error_of_a_job_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda job: 1 // job, [1, 0]))
