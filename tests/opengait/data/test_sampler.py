"""Samplers against the batches that OpenGait draws from the same seeds."""

import itertools
import json

import pytest

from opengait import distributed
from opengait.data import sampler as samplers
from opengait.errors import ConfigError
from tests.paths import GOLDEN_DIR

GOLDEN = json.loads((GOLDEN_DIR / "opengait/sampling.json").read_text())


class Labelled:
    """A dataset of indices only."""

    def __init__(self, counts: list[int]) -> None:
        ends = list(itertools.accumulate(counts))
        self.label_set = [f"id{i}" for i in range(len(counts))]
        self.indices_dict = {f"id{i}": list(range(end - counts[i], end)) for i, end in enumerate(ends)}
        self.size = ends[-1]

    def __len__(self) -> int:
        return self.size


@pytest.fixture
def dataset() -> Labelled:
    return Labelled(GOLDEN["dataset"]["sequences_per_label"])


SAMPLERS = {
    "TripletSampler_plain": lambda data: samplers.TripletSampler(data, [3, 4], batch_shuffle=False),
    "TripletSampler_shuffled": lambda data: samplers.TripletSampler(data, [3, 4], batch_shuffle=True),
    "CommonSampler_8": lambda data: samplers.CommonSampler(data, 8),
    "BilateralSampler_2x3": lambda data: samplers.BilateralSampler(data, [2, 3]),
    "InferenceSampler_1": lambda data: samplers.InferenceSampler(data, 1),
    "InferenceSampler_3": lambda data: samplers.InferenceSampler(data, 3),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_batches_equal_upstream(name, dataset):
    expected = GOLDEN["samplers"][name]
    distributed.seed_everything(0)
    sampler = SAMPLERS[name](dataset)
    assert len(sampler) == len(dataset)
    stream = iter(sampler)
    assert [list(batch) for batch in itertools.islice(stream, len(expected))] == expected
    if name.startswith("Inference"):
        assert next(stream, None) is None


@pytest.mark.parametrize("name", [name for name in GOLDEN["samplers"] if "world" in name])
def test_shares_of_a_rank_equal_upstream(name, dataset, monkeypatch):
    kind, *size, world, rank = name.replace("world", "").replace("rank", "").split("_")
    monkeypatch.setattr(distributed, "world_size", lambda: int(world))
    monkeypatch.setattr(distributed, "rank", lambda: int(rank))
    monkeypatch.setattr(distributed, "broadcast_object", lambda value: value)
    distributed.seed_everything(0)
    sampler = getattr(samplers, kind)(dataset, int(size[0]) if size else [4, 4])
    expected = GOLDEN["samplers"][name]
    assert [list(batch) for batch in itertools.islice(sampler, len(expected))] == expected


def test_every_index_is_tested_once_and_only_the_first_are_repeated(dataset):
    seen = list(itertools.chain.from_iterable(samplers.InferenceSampler(dataset, 8)))
    assert seen[:20] == list(range(20))
    assert seen[20:] == [0, 1, 2, 3]


def test_a_batch_larger_than_the_test_set_wraps_around():
    assert list(samplers.InferenceSampler(Labelled([2]), 5)) == [[0, 1, 0, 1, 0]]


@pytest.mark.parametrize("invalid", [8, [8], [4, 0], "8", None, [True, 4]])
def test_invalid_triplet_batch_sizes_are_rejected(invalid, dataset):
    with pytest.raises(ConfigError, match="batch_size"):
        samplers.TripletSampler(dataset, invalid)


def test_impossible_batches_are_rejected(dataset, monkeypatch):
    with pytest.raises(ConfigError, match="6 ids.*has 5"):
        samplers.TripletSampler(dataset, [6, 2])
    with pytest.raises(ConfigError, match="21 tracklets.*20"):
        samplers.BilateralSampler(dataset, [7, 3])
    with pytest.raises(ConfigError, match="expected a positive integer"):
        samplers.CommonSampler(dataset, [2, 3])
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    with pytest.raises(ConfigError, match="6 tracklets.*4 processes"):
        samplers.TripletSampler(dataset, [2, 3])
