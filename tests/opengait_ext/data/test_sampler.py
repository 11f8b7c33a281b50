"""Batches of P people with K visible and K infrared tracklets each, equal for every world size."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch

from opengait import distributed
from opengait.data.sampler import Draw
from opengait.errors import ConfigError, DataError
from opengait_ext.data.sampler import CrossModalSampler, draw


def people(counts):
    """Return a dataset of people with these numbers of (visible, infrared) tracklets."""
    labels, types = [], []
    for label, (visible, infrared) in enumerate(counts):
        labels += [f"{label:04d}"] * (visible + infrared)
        types += ["visible"] * visible + ["infrared"] * infrared
    indices = {label: [i for i, mine in enumerate(labels) if mine == label] for label in sorted(set(labels))}

    class Set(SimpleNamespace):
        def __len__(self):
            return len(labels)

    return Set(label_list=labels, types_list=types, indices_dict=indices, label_set=sorted(indices))


def take(sampler, count, seed=0):
    stream, batches = sampler.batches(), []
    for number in range(count):
        with distributed.isolated_random(distributed.mix_seed(seed, number)):
            batches.append(next(stream))
    return batches


def test_a_batch_is_p_people_with_k_of_each_modality():
    data = people([(5, 6)] * 10)
    for batch in take(CrossModalSampler(data, [4, 3]), 20):
        assert len(batch) == 24 == len(set(batch))
        counts = Counter((data.label_list[i], data.types_list[i]) for i in batch)
        assert len(counts) == 8 and set(counts.values()) == {3}


@pytest.mark.parametrize(("number", "per_batch"), [(10, 4), (9, 8), (8, 8), (7, 2)])
def test_all_people_are_drawn_before_any_is_repeated(number, per_batch):
    data = people([(2, 2)] * number)
    seen = []
    for batch in take(CrossModalSampler(data, [per_batch, 2]), 3 * number):
        in_batch = list(dict.fromkeys(data.label_list[i] for i in batch))
        assert len(in_batch) == per_batch
        seen += in_batch
    for start in range(0, len(seen) - number + 1, number):
        assert sorted(seen[start : start + number]) == data.label_set
    assert seen[:number] != seen[number : 2 * number]


def test_few_tracklets_are_each_drawn_before_one_is_repeated():
    data = people([(3, 1), (9, 4)])
    for batch in take(CrossModalSampler(data, [2, 4]), 10):
        counts = Counter(batch)
        of_first = sorted(counts[i] for i in data.indices_dict["0000"])
        assert of_first == [1, 1, 2, 4]
        assert all(counts[i] == 1 for i in data.indices_dict["0001"] if counts[i])


def test_draws_are_uniform():
    torch.manual_seed(0)
    counts = Counter(index for _ in range(6000) for index in draw(range(5), 2))
    assert all(abs(counts[i] / 6000 - 0.4) < 4 * (0.24 / 6000) ** 0.5 for i in range(5))


@pytest.mark.parametrize("size", [[8, 4], [4, 4], [8, 2], [16, 1], [3, 1], [5, 3], [1, 1]])
def test_every_share_has_both_modalities_unless_it_is_one_tracklet(size, monkeypatch):
    data = people([(4, 4)] * size[0])
    (batch,) = take(CrossModalSampler(data, size), 1)
    for world in (world for world in range(1, len(batch) + 1) if len(batch) % world == 0):
        monkeypatch.setattr(distributed, "world_size", lambda world=world: world)
        shares = []
        for rank in range(world):
            monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
            shares.append(CrossModalSampler(data, size).share(len(batch)))
        assert sorted(position for share in shares for position in share) == list(range(len(batch)))
        for share in shares:
            counts = Counter(data.types_list[batch[position]] for position in share)
            assert len(share) == len(batch) // world and share == sorted(share)
            assert len(counts) == min(2, len(share)), f"{world} processes"


@pytest.mark.parametrize("size", [[8, 4], [4, 2], [3, 1], [5, 3]])
def test_shares_with_second_views_have_both_modalities(size, monkeypatch):
    data = people([(4, 4)] * size[0])
    (batch,) = take(CrossModalSampler(data, size, second_view=True), 1)
    assert len(batch) == 3 * size[0] * size[1]
    kinds = [data.types_list[entry.index if isinstance(entry, Draw) else entry] for entry in batch]
    for world in (world for world in range(1, len(batch) // 3 + 1) if len(batch) % world == 0):
        monkeypatch.setattr(distributed, "world_size", lambda world=world: world)
        shares = []
        for rank in range(world):
            monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
            shares.append(CrossModalSampler(data, size, second_view=True).share(len(batch)))
        assert sorted(position for share in shares for position in share) == list(range(len(batch)))
        assert all(len({kinds[position] for position in share}) == 2 for share in shares), world


def test_every_visible_tracklet_has_a_second_view_of_the_same_frames():
    data = people([(5, 6)] * 6)
    for batch in take(CrossModalSampler(data, [4, 3], second_view=True), 5):
        infrared = [entry for entry in batch if not isinstance(entry, Draw)]
        views = [[entry for entry in batch if isinstance(entry, Draw) and entry.copy == copy] for copy in (0, 1)]
        assert len(infrared) == 12 == len(views[0])
        assert [(view.index, view.seed) for view in views[0]] == [(view.index, view.seed) for view in views[1]]
        assert len({view.seed for view in views[0]}) == 12
        assert {data.types_list[index] for index in infrared} == {"infrared"}
        assert {data.types_list[view.index] for view in views[0]} == {"visible"}


def test_independent_batches_repeat_people_and_tracklets():
    data = people([(3, 3)] * 8)
    sampler = CrossModalSampler(data, [4, 4], independent=True)
    batches = take(sampler, 300)
    people_of = [list(dict.fromkeys(data.label_list[i] for i in batch)) for batch in batches]
    assert all(len(set(drawn)) == 4 for drawn in people_of)
    # Of two batches that share no draws, 4 of 8 people meet in 2 on average; a round would exclude any.
    meetings = [len(set(a) & set(b)) for a, b in zip(people_of[::2], people_of[1::2], strict=True)]
    assert sum(meetings) / len(meetings) == pytest.approx(2, abs=0.3)
    # Each of 3 tracklets is missing among 4 draws with replacement in (2/3)^4 of the cases.
    missing = [
        index not in batch
        for batch, drawn in zip(batches, people_of, strict=True)
        for label in drawn
        for index in data.indices_dict[label]
    ]
    assert sum(missing) / len(missing) == pytest.approx((2 / 3) ** 4, abs=0.02)
    stream = sampler.batches()
    with distributed.isolated_random(distributed.mix_seed(0, 7)):
        assert sampler.stateless and next(stream) == batches[7]


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_divide_the_batch_of_one_process(world, monkeypatch):
    data = people([(3, 5)] * 6)
    whole = take(CrossModalSampler(data, [4, 2]), 5)
    for rank in range(world):
        monkeypatch.setattr(distributed, "world_size", lambda: world)
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        monkeypatch.setattr(distributed, "broadcast_object", lambda value: value)
        share = iter(CrossModalSampler(data, [4, 2]))
        for number, batch in enumerate(whole):
            with distributed.isolated_random(distributed.mix_seed(0, number)):
                assert next(share) == batch[rank::world]


def test_batch_k_depends_only_on_the_seed_and_k():
    data = people([(3, 5)] * 7)
    sampler = CrossModalSampler(data, [3, 2])
    batches = take(sampler, 12)
    assert batches == take(sampler, 12)
    assert batches[0] != take(sampler, 1, seed=1)[0]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    take(sampler, 2)
    assert torch.equal(state, torch.get_rng_state())


def test_people_of_one_modality_are_skipped_and_named(caplog):
    data = people([(3, 3), (4, 0), (2, 2)])
    with caplog.at_level("INFO", logger="opengait"):
        sampler = CrossModalSampler(data, [2, 2])
    assert "skips 1 people seen in one modality only: 0001" in caplog.text
    assert all(data.label_list[i] != "0001" for batch in take(sampler, 5) for i in batch)
    assert len(sampler) == len(data)


def test_invalid_batch_sizes_are_reported():
    data = people([(3, 3)] * 3)
    with pytest.raises(ConfigError, match="asks for 4 people per batch, but only 3"):
        CrossModalSampler(data, [4, 2])
    for wrong in (8, [8], [8, 0], [8, 4, 2], "84", [2.0, 1]):
        with pytest.raises(ConfigError, match=r"expected \[people, tracklets"):
            CrossModalSampler(data, wrong)
    with pytest.raises(DataError, match="No person .* both modalities"):
        CrossModalSampler(people([(3, 0), (0, 3)]), [1, 1])


def test_a_batch_that_the_ranks_do_not_divide_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 5)
    with pytest.raises(ConfigError, match="batches of 8 tracklets, .* over 5"):
        CrossModalSampler(people([(2, 2)] * 2), [2, 2])
