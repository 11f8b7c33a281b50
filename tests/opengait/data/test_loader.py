"""The loader: batches depend on the seed and their number, not on processes, workers or the start of the run."""

import itertools
import logging
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from opengait import distributed, registry
from opengait.data.deferred import Deferred
from opengait.data.loader import build_loader, share
from opengait.data.sampler import Draw, TrainingSampler
from opengait.errors import ConfigError, DataError

FIXED = {"type": "TripletSampler", "batch_size": [2, 4], "sample_type": "fixed_unordered", "frames_num_fixed": 3}


class Toy:
    """Twelve tracklets of three ids; frame f of tracklet i is filled with 100 i + f."""

    def __init__(self) -> None:
        self.label_set = ["a", "b", "c"]
        self.indices_dict = {label: list(range(4 * i, 4 * i + 4)) for i, label in enumerate(self.label_set)}

    def __len__(self):
        return 12

    def __getitem__(self, index):
        frames = 100.0 * index + np.arange(5 + index)
        return [np.broadcast_to(frames[:, None, None], (len(frames), 2, 2))], ["abc"[index // 4], "t", f"v{index}", []]


def noisy(frames):
    return frames + random.random() + np.random.default_rng(np.random.randint(99)).random() + torch.rand(1).item()  # noqa: NPY002


def loader(**changes):
    settings = {"training": True, "seed": 5} | changes
    cfg = settings.pop("cfg", FIXED)
    return build_loader(settings.pop("dataset", Toy()), cfg, [noisy], **settings)


def first(count, **changes):
    return list(itertools.islice(loader(**changes), count))


def assert_equal_batches(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert one[1:4] == other[1:4]
        assert all(torch.equal(a, b) for a, b in zip(one[0], other[0], strict=True))
        assert (one[4] is None) == (other[4] is None)
        assert one[4] is None or np.array_equal(one[4], other[4])


def as_rank(monkeypatch, rank, world):
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    monkeypatch.setattr(distributed, "broadcast_object", lambda value: value)


@pytest.mark.parametrize("kind", ["TripletSampler", "BilateralSampler"])
def test_workers_and_resuming_do_not_change_batches(kind):
    cfg = FIXED | {"type": kind}
    whole = first(4, cfg=cfg)
    assert whole[0][0][0].shape[1:] == (3, 2, 2)
    assert_equal_batches(first(4, cfg=cfg), whole)
    assert_equal_batches(first(4, cfg=cfg, num_workers=2), whole)
    assert_equal_batches(first(2, cfg=cfg, start_iteration=2), whole[2:])
    assert not torch.equal(first(1, cfg=cfg, seed=6)[0][0][0], whole[0][0][0])
    assert whole[0][3] != whole[1][3]


@pytest.mark.parametrize("world", [2, 4])
def test_shares_of_the_ranks_form_the_whole_batch(monkeypatch, world):
    whole = first(3)
    shares = []
    for rank in range(world):
        as_rank(monkeypatch, rank, world)
        shares.append(first(3))
    for number, batch in enumerate(whole):
        for rank in range(world):
            assert shares[rank][number][3] == batch[3][rank::world]
            assert torch.equal(shares[rank][number][0][0], batch[0][0][rank::world])


def test_random_streams_of_the_training_are_unchanged():
    distributed.seed_everything(3)
    expected = random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002
    distributed.seed_everything(3)
    first(2)
    assert (random.random(), np.random.random(), torch.rand(1).item()) == expected  # noqa: NPY002


@pytest.mark.parametrize("sample_type", ["all_ordered", "fixed_unordered", "fixed_segment_first"])
@pytest.mark.parametrize("world", [2, 5])
def test_testing_yields_every_tracklet_once_for_any_world_size(monkeypatch, sample_type, world):
    cfg = {"type": "InferenceSampler", "batch_size": 4, "sample_type": sample_type, "frames_num_fixed": 3}
    single = loader(cfg=cfg, training=False)
    batches = list(single)
    assert len(batches) == (12 if sample_type == "all_ordered" else 3)
    # As in OpenGait, whose own inference cuts the gathered features to `len(self.test_loader)`.
    assert len(single) == len(single.dataset) == 12
    assert single.batch_sampler.batch_size == (1 if sample_type == "all_ordered" else 4)
    views = [view for batch in batches for view in batch[3]]
    assert views == [f"v{i}" for i in range(12)]
    frames = [frames for batch in batches for frames in batch[0][0]]

    steps = []
    for rank in range(world):
        as_rank(monkeypatch, rank, world)
        steps.append(list(loader(cfg=cfg, training=False)))
    gathered = [share for step in zip(*steps, strict=True) for share in step]
    assert [view for batch in gathered for view in batch[3]][:12] == views
    gathered_frames = [frames for batch in gathered for frames in batch[0][0]][:12]
    assert all(torch.equal(one, other) for one, other in zip(gathered_frames, frames, strict=True))


def test_raw_batches_equal_upstream():
    (batch,) = first(1, wants_raw=True)
    assert len(batch[0][0]) == 8 and all(isinstance(frames, np.ndarray) for frames in batch[0][0])


def test_a_sampler_without_batches_yields_the_share_of_a_rank(monkeypatch, temporarily):
    class Shares:
        def __init__(self, dataset, batch_size):
            self.batch_size = batch_size

        def __iter__(self):
            start = 0
            while True:
                yield [(start + int(torch.randint(3, (1,)))) % 12 for _ in range(self.batch_size)]
                start += 1

    temporarily(registry.samplers, Shares)
    cfg = FIXED | {"type": "Shares", "batch_size": 3}
    whole = first(4, cfg=cfg)
    assert_equal_batches(first(1, cfg=cfg, start_iteration=3), whole[3:])
    as_rank(monkeypatch, 1, 2)
    assert [batch[3] for batch in first(4, cfg=cfg)] == [batch[3] for batch in whole]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_draws_with_the_same_seed_share_random_numbers(temporarily, num_workers):
    class Seeded(TrainingSampler):
        def __init__(self, dataset, batch_size):
            super().__init__(dataset)

        def batches(self):
            while True:
                yield [Draw(4, 2**61 + 1), Draw(4, 2**61 + 1), Draw(4, 8), Draw(4), 4]

    temporarily(registry.samplers, Seeded)
    (one, two, other, plain, bare), *_ = first(1, cfg=FIXED | {"type": "Seeded"}, num_workers=num_workers)[0][0]
    assert torch.equal(one, two)
    for a, b in itertools.combinations([one, other, plain, bare], 2):
        assert not torch.equal(a, b)


def test_a_stateful_sampler_is_replayed_when_resuming(temporarily):
    class Memory(TrainingSampler):
        def __init__(self, dataset, batch_size):
            super().__init__(dataset)

        def batches(self):
            seen = 0
            while True:
                seen += int(torch.randint(12, (1,)))
                yield [seen % 12, (seen + 1) % 12]

    temporarily(registry.samplers, Memory)
    cfg = FIXED | {"type": "Memory"}
    assert_equal_batches(first(2, cfg=cfg, start_iteration=3), first(5, cfg=cfg)[3:])


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_tracklet_is_one_sentence(num_workers):
    class Bad(Toy):
        def __getitem__(self, index):
            if index == 7:
                raise DataError("Tracklet b-t-v7: Cannot read the frame x.jpg: No such file or directory.")
            return super().__getitem__(index)

    cfg = {"sample_type": "all_ordered", "batch_size": 1}
    with pytest.raises(DataError) as caught:
        list(loader(dataset=Bad(), cfg=cfg, training=False, num_workers=num_workers))
    assert str(caught.value) == "Tracklet b-t-v7: Cannot read the frame x.jpg: No such file or directory."


def test_invalid_sampler_sections_are_rejected():
    with pytest.raises(ConfigError, match="InferenceSampler"):
        loader(cfg=FIXED, training=False)
    with pytest.raises(ConfigError, match="batch_size is missing"):
        loader(cfg={"type": "CommonSampler", "sample_type": "all_ordered"})
    with pytest.raises(ConfigError, match=r"batch_size: .*\[8, 16\]"):
        loader(cfg={"sample_type": "all_ordered", "batch_size": [8, 16]}, training=False)
    with pytest.raises(ConfigError, match="no sampler called 'TripleSampler'; did you mean TripletSampler"):
        loader(cfg=FIXED | {"type": "TripleSampler"})


def test_a_tracklet_listed_twice_in_a_batch_is_drawn_twice():
    (batch,) = first(1, cfg=FIXED | {"type": "BilateralSampler"})
    views, frames = batch[3], batch[0][0]
    assert views[:8] == views[8:]
    assert not any(torch.equal(one, other) for one, other in zip(frames[:8], frames[8:], strict=True))


def test_an_ignored_test_batch_size_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    cfg = {"type": "InferenceSampler", "batch_size": 4, "sample_type": "all_ordered"}
    with caplog.at_level(logging.INFO, "opengait"):
        loader(cfg=cfg, training=False)
        loader(cfg=cfg | {"batch_size": 1}, training=False)
        loader(cfg=cfg | {"sample_type": "fixed_uniform", "frames_num_fixed": 2}, training=False)
    (record,) = caplog.records
    assert record.getMessage().startswith("evaluator_cfg.sampler.batch_size 4 is ignored: all_ordered keeps")


@pytest.mark.parametrize("value", [-1, 1.5, "2", True, None])
def test_a_number_of_workers_that_is_none_is_rejected(value):
    with pytest.raises(ConfigError, match="num_workers"):
        loader(num_workers=value)


class Dying(Toy):
    """A dataset whose loading process is killed, as by a system without memory."""

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


class Greedy(Toy):
    def __getitem__(self, index):
        raise MemoryError


@pytest.mark.slow
@pytest.mark.parametrize("dataset", [Dying(), Greedy()], ids=["killed", "memory"])
def test_loading_without_memory_is_one_sentence(dataset):
    with pytest.raises(DataError, match=r"num_workers.*or 0") as caught:
        first(1, dataset=dataset, num_workers=1)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_small_shared_memory_is_one_sentence(monkeypatch):
    def full(tensor):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    assert len(first(1)) == 1
    # The workers are forked, and inherit the patch.
    with pytest.raises(DataError, match=r"shared memory.*num_workers: 0"):
        first(1, num_workers=1)


def test_a_batch_is_shared_with_all_its_parts():
    # What is not shared yet would be shared in a thread of the worker, whose failure nobody sees.
    deferred = Deferred(torch.zeros(2, 3), torch.zeros(2, 1))
    share([torch.zeros(2), deferred, np.zeros(2), [np.zeros(3)]])
    tensor = torch.zeros(2)
    share([tensor])
    assert tensor.is_shared() and deferred.frames.is_shared() and deferred.drawn.is_shared()


KEPT_LOADER = """
import gc
from opengait.data.loader import TrackletLoader, _start_worker
gc.disable()
cycle = {}
cycle["itself"] = cycle
cycle["loader"] = TrackletLoader(
    [], [([],)] * 4, collate_fn=lambda items: items[0], num_workers=1, persistent_workers=True,
    worker_init_fn=_start_worker,
)
print(next(iter(cycle["loader"])))
"""


@pytest.mark.slow
def test_a_loader_in_a_reference_cycle_does_not_keep_the_process():
    done = subprocess.run([sys.executable, "-c", KEPT_LOADER], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "[[]]\n"), done.stderr
