"""The short form of the campaign: one seed."""

import pytest

from tests.campaigns.worlds import compare_metrics


# Trainings of equal gradients part where rounding flips a discrete choice, such as a hard triplet or a token.
# On earlier data one seed passed and another did not. Open until all numbers of processes make these choices alike.
@pytest.mark.xfail(strict=False, reason="rounding flips discrete choices of DinoGRL")
@pytest.mark.slow
def test_one_to_four_processes_give_the_same_metrics(tmp_path):
    count, differences = compare_metrics(tmp_path)
    assert count > 100 and not differences, "\n".join(differences)
