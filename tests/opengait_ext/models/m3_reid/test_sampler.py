"""Batches of P people with K tracklets each, whatever their modality."""

from collections import Counter
from types import SimpleNamespace

import pytest

from opengait import distributed
from opengait.errors import ConfigError
from opengait_ext.models.m3_reid.sampler import TrackletGroupSampler


def dataset(*counts: int) -> SimpleNamespace:
    """Return a dataset of people with these numbers of tracklets."""
    starts = [sum(counts[:person]) for person in range(len(counts))]
    indices = {f"{p:02d}": list(range(start, start + counts[p])) for p, start in enumerate(starts)}
    return SimpleNamespace(indices_dict=indices, label_set=sorted(indices))


def take(sampler: TrackletGroupSampler, count: int, seed: int = 0) -> list[list[int]]:
    """Return batches as the engine draws them, each from a random stream of its own."""
    stream, batches = sampler.batches(), []
    for number in range(count):
        with distributed.isolated_random(distributed.mix_seed(seed, number)):
            batches.append(next(stream))
    return batches


def people(batch: list[int], data: SimpleNamespace, tracklets: int) -> list[str]:
    owners = {index: label for label, own in data.indices_dict.items() for index in own}
    runs = [batch[start : start + tracklets] for start in range(0, len(batch), tracklets)]
    assert all(len({owners[index] for index in run}) == 1 for run in runs)
    return [owners[run[0]] for run in runs]


def test_a_batch_is_p_people_with_k_tracklets_each():
    data = dataset(8, 9, 20, 3, 16, 8)
    for batch in take(TrackletGroupSampler(data, [4, 8]), 20):
        drawn = people(batch, data, 8)
        assert len(batch) == 32 and len(set(drawn)) == 4


def test_an_epoch_takes_each_tracklet_at_most_once_and_drops_the_rest():
    """Of two people with 2 and 3 groups and a rest each, an epoch of batches of one takes exactly those."""
    data = dataset(9, 13)
    batches = take(TrackletGroupSampler(data, [1, 4]), 10)
    for epoch in (batches[:5], batches[5:]):
        assert len({index for batch in epoch for index in batch}) == 20
        assert Counter(people(batch, data, 4)[0] for batch in epoch) == {"00": 2, "01": 3}
    assert batches[:5] != batches[5:]


def test_an_epoch_ends_when_too_few_people_have_groups_left():
    """With 1, 1 and 9 groups, a batch of two people is possible two times at most."""
    data = dataset(2, 2, 18)
    for seed in range(5):
        first, second, third = take(TrackletGroupSampler(data, [2, 2]), 3, seed)
        drawn = [people(batch, data, 2) for batch in (first, second)]
        if sorted(drawn[0]) == ["00", "01"]:
            continue
        assert sorted(drawn[0] + drawn[1]) == ["00", "01", "02", "02"]
        # The large person's third group belongs to a new epoch, which may repeat tracklets.
        assert len(people(third, data, 2)) == 2


def test_few_tracklets_are_drawn_with_replacement():
    data = dataset(1, 3)
    batches = take(TrackletGroupSampler(data, [2, 6]), 40)
    drawn = Counter(index for batch in batches for index in batch)
    assert drawn[0] == 240 and sum(drawn[index] for index in (1, 2, 3)) == 240
    # Each is drawn before another is repeated only by chance: of 40 groups of 6 from 3, some lack one.
    assert any(len(set(batch) - {0}) < 3 for batch in batches)


def test_all_ranks_share_a_batch(monkeypatch):
    sampler = TrackletGroupSampler(dataset(8, 8, 8, 8), [4, 8])
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    shares = []
    for rank in range(4):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares += [list(sampler.share(32))]
    assert sorted(position for share in shares for position in share) == list(range(32))


@pytest.mark.parametrize(
    ("batch_size", "world", "message"),
    [
        ([5, 2], 1, r"asks for 5 people per batch, but the training set has 4"),
        ([4], 1, r"expected \[people, tracklets\], such as \[4, 8\], got \[4\]"),
        ([4, 0], 1, r"got \[4, 0\]"),
        (32, 1, "got 32"),
        ([3, 3], 2, "batches of 9 tracklets, which cannot be split evenly over 2 processes"),
    ],
)
def test_impossible_batches_are_one_sentence(batch_size, world, message, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    with pytest.raises(ConfigError, match=message):
        TrackletGroupSampler(dataset(4, 4, 4, 4), batch_size)


def test_the_log_says_how_long_an_epoch_is(caplog):
    with caplog.at_level("INFO"):
        TrackletGroupSampler(dataset(8, 9, 20, 3), [2, 8])
    assert "at most 2 batches" in caplog.text
