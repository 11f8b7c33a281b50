import pytest

from tests.campaigns.kills import run


@pytest.mark.slow
def test_a_killed_training_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(3, seed=0, folder=tmp_path).total() == 3
