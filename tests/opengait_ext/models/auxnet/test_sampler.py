"""AuxNet's batches of aligned pairs, and of auxiliary people."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from opengait import distributed
from opengait.errors import ConfigError, DataError
from opengait_ext.data.readers import CrossModalDataSet
from opengait_ext.data.tracklet import Modality, Role, Tracklet
from opengait_ext.models.auxnet.sampler import PairSampler


def dataset(people: dict[str, list[int]], auxiliary: dict[str, int] | None = None) -> CrossModalDataSet:
    """Return a dataset of aligned pairs: people with the cameras of their pairs, auxiliary people with their camera."""
    pairs = [(person, camera, None) for person, cameras in people.items() for camera in cameras]
    pairs += [(person, camera, Role.AUXILIARY) for person, camera in (auxiliary or {}).items()]
    tracklets = [
        Tracklet(person, modality, camera, [Path("x")], row, role)
        for row, (person, camera, role) in enumerate(pairs, start=1)
        for modality in (Modality.INFRARED, Modality.VISIBLE)
    ]
    return CrossModalDataSet(tracklets, [tracklet.label for tracklet in tracklets], (4, 2))


def take(sampler: PairSampler, count: int, seed: int = 0) -> list[list]:
    """Return batches as the engine draws them, each from a random stream of its own."""
    stream, batches = sampler.batches(), []
    for number in range(count):
        with distributed.isolated_random(distributed.mix_seed(seed, number)):
            batches.append(next(stream))
    return batches


def pairs_of(batch: list, data: CrossModalDataSet) -> list[tuple[str, int, int]]:
    """Return the person, camera and row of the pairs of a part of a batch, and check that these are pairs."""
    half = len(batch) // 2
    found = []
    for one, other in zip(batch[:half], batch[half:], strict=True):
        visible, infrared = (data.tracklets[draw.index] for draw in (one, other))
        assert (visible.modality, infrared.modality) == (Modality.VISIBLE, Modality.INFRARED)
        assert one.seed == other.seed and one.seed is not None and one.copy == other.copy == 0
        moments = [(t.person, t.camera, t.track) for t in (visible, infrared)]
        assert moments[0] == moments[1]
        found.append(moments[0])
    return found


PEOPLE = {f"{p:02d}": [0, 0, 1, 2, 2, 2][: 3 + p % 4] for p in range(12)}


def test_a_batch_is_p_people_at_k_cameras():
    data = dataset(PEOPLE)
    for batch in take(PairSampler(data, [4, 2]), 20):
        pairs = pairs_of(batch, data)
        assert len(batch) == 16 and len(set(pairs)) == 8
        assert set(Counter(person for person, _, _ in pairs).values()) == {2}
        assert len({(person, camera) for person, camera, _ in pairs}) == 8


def test_an_epoch_takes_each_pair_at_most_once_and_ends_when_no_batch_is_left():
    """Two people with pairs at cameras 0, 0 and 1 make one batch each: then camera 1 is used up."""
    data = dataset({"a": [0, 0, 1], "b": [0, 1, 1], "c": [5]})
    batches = take(PairSampler(data, [2, 2]), 30)
    used = Counter(pair for batch in batches for pair in pairs_of(batch, data))
    assert used["a", 1, 3] == used["b", 0, 4] == 30 and not any(person == "c" for person, _, _ in used)
    # Of two pairs at one camera, each is drawn sometimes.
    assert all(5 < used[pair] < 25 for pair in [("a", 0, 1), ("a", 0, 2), ("b", 1, 5), ("b", 1, 6)])

    data = dataset({"a": [0, 0, 1, 1], "b": [0, 0, 1, 1]})
    batches = take(PairSampler(data, [2, 2]), 20)
    for first, second in zip(batches[::2], batches[1::2], strict=True):
        assert len(set(pairs_of(first, data) + pairs_of(second, data))) == 8
    assert batches[0] != batches[2]


def test_auxiliary_batches_come_first_and_come_back_within_an_epoch():
    """Three auxiliary batches serve eight batches of an epoch."""
    auxiliary = {f"x{p:02d}": p % 2 for p in range(12)}
    data = dataset({p: [0] * 8 + [1] * 8 for p in ("a", "b")}, auxiliary)
    epochs = take(PairSampler(data, [2, 2], auxiliary=True), 16)
    for epoch in (epochs[:8], epochs[8:]):
        parts = [batch[:8] for batch in epoch]
        assert parts[3:6] == parts[:3] and parts[6:] == parts[:2]
        drawn = [pair for part in parts[:3] for pair in pairs_of(part, data)]
        assert len({person for person, _, _ in drawn}) == 12 and all(person in auxiliary for person, _, _ in drawn)
        for part in parts[:3]:
            assert Counter(camera for _, camera, _ in pairs_of(part, data)) == {0: 2, 1: 2}
        own = [pair for batch in epoch for pair in pairs_of(batch[8:], data)]
        assert len(set(own)) == 32 and {person for person, _, _ in own} == {"a", "b"}
    assert epochs[0][:8] != epochs[8][:8]


def test_two_of_several_cameras_with_enough_people_are_drawn():
    data = dataset(PEOPLE, {"u": 0, "v": 0, "w": 1, "x": 1, "y": 2, "z": 2, "only": 3})
    seen = Counter()
    for batch in take(PairSampler(data, [2, 2], auxiliary=True), 60):
        cameras = {camera for _, camera, _ in pairs_of(batch[:8], data)}
        assert len(cameras) == 2
        seen.update(cameras)
    assert seen[3] == 0 and min(seen[camera] for camera in (0, 1, 2)) > 5


def test_a_generated_partner_stands_in_for_the_infrared_one():
    data = dataset({"a": [0, 1], "b": [0, 1]})
    fakes = [
        Tracklet(t.person, Modality.INFRARED, t.camera, t.frames, t.track, Role.FAKE) for t in data.tracklets[1::2]
    ]
    both = [*data.tracklets, *fakes]
    data = CrossModalDataSet(both, [t.label for t in both], (4, 2))
    roles = Counter(data.tracklets[draw.index].role for batch in take(PairSampler(data, [2, 2]), 40) for draw in batch)
    assert roles[None] + roles[Role.FAKE] == 320 and 50 < roles[Role.FAKE] < 110


def test_shares_of_all_ranks_have_as_many_auxiliary_tracklets(monkeypatch):
    data = dataset(PEOPLE, {f"x{p}": p % 2 for p in range(8)})
    sampler = PairSampler(data, [4, 2], auxiliary=True)
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    for rank in range(4):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        positions = sampler.share(32)
        assert [sum(start <= p < start + 8 for p in positions) for start in (0, 8, 16, 24)] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("options", "world", "error", "message"),
    [
        ({"batch_size": [13, 2]}, 1, DataError, "needs 13 people with pairs at 2 cameras"),
        ({"batch_size": [4, 4]}, 1, DataError, "needs 4 people with pairs at 4 cameras"),
        ({"batch_size": [4]}, 1, ConfigError, r"expected \[people, cameras\], such as \[8, 2\], got \[4\]"),
        ({"batch_size": [True, 2]}, 1, ConfigError, "got"),
        ({"batch_size": [3, 1]}, 4, ConfigError, "batches of 6 tracklets, which cannot be split evenly over 4"),
        ({"batch_size": [4, 2], "auxiliary": True}, 1, ConfigError, "data_cfg.auxiliary: apart"),
    ],
)
def test_impossible_batches_are_one_sentence(options, world, error, message, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    with pytest.raises(error, match=message):
        PairSampler(dataset(PEOPLE), **options)
    with pytest.raises(DataError, match="2 cameras with 2 auxiliary people"):
        PairSampler(dataset(PEOPLE, {"x": 0, "y": 0, "z": 1}), [2, 2], auxiliary=True)


def test_building_a_sampler_leaves_the_random_stream_unchanged(caplog):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with caplog.at_level("INFO"):
        PairSampler(dataset({"a": [0, 0, 1, 1], "b": [0, 0, 1, 1]}), [2, 2])
    assert torch.equal(torch.rand(3), expected) and "about 2 batches" in caplog.text
