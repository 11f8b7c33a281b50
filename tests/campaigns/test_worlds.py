"""The short form of the campaign: one seed."""

import pytest

from tests.campaigns.worlds import compare_metrics


@pytest.mark.slow
def test_one_to_four_processes_give_the_same_metrics(tmp_path):
    count, differences = compare_metrics(tmp_path)
    assert count > 100 and not differences, "\n".join(differences)
