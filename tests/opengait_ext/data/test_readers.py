"""From the mini HITSZ-VCM tree to the engine's batches: reader, sampler, frame picker and augmentation combined."""

import itertools
import shutil

import pytest
import torch

from opengait import distributed, registry
from opengait.data.loader import build_loader
from opengait.errors import DataError
from opengait_ext.data.augment import CrossModalAugmentation, Normalise
from opengait_ext.data.readers import HITSZVCMDataSet
from opengait_ext.data.sampler import CrossModalSampler
from tests.golden.vvi import mini_hitsz

TRAIN = {
    "type": "CrossModalSampler",
    "batch_size": [3, 2],
    "sample_type": "fixed_segment_random",
    "frames_num_fixed": 4,
}
TEST = {"type": "InferenceSampler", "batch_size": 4, "sample_type": "fixed_segment_first", "frames_num_fixed": 6}


@pytest.fixture(autouse=True)
def sampler_known():
    with registry.samplers.temporarily(CrossModalSampler):
        yield


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return mini_hitsz.write(tmp_path_factory.mktemp("hitsz"))


def reader(tree, training):
    return HITSZVCMDataSet({"dataset_root": str(tree), "frame_size": [16, 8]}, training)


def batches(tree, count, **changes):
    settings = {"training": True, "seed": 3} | changes
    loader = build_loader(reader(tree, True), TRAIN, [CrossModalAugmentation()], **settings)
    return list(itertools.islice(loader, count))


def test_a_training_batch(tree):
    ((frames,), labels, types, views, lengths) = batches(tree, 1)[0]
    assert frames.shape == (12, 4, 3, 16, 8) and frames.dtype == torch.float32
    assert lengths is None and len(set(zip(labels, types, views, strict=True))) <= 12
    assert sorted(types) == ["infrared"] * 6 + ["visible"] * 6
    assert len(set(labels)) == 3 and all(labels.count(label) == 4 for label in labels)


def test_workers_and_resuming_change_nothing(tree):
    plain = batches(tree, 4)
    for other, shift in ((batches(tree, 4, num_workers=2), 0), (batches(tree, 2, start_iteration=2), 2)):
        for number, batch in enumerate(other):
            assert torch.equal(batch[0][0], plain[number + shift][0][0])
            assert batch[1:4] == plain[number + shift][1:4]


def test_ranks_divide_the_batch_of_one_process(tree, monkeypatch):
    whole = batches(tree, 2)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        for batch, everything in zip(batches(tree, 2), whole, strict=True):
            assert torch.equal(batch[0][0], everything[0][0][rank::2])
            assert batch[2] == everything[2][rank::2]


def test_test_batches_are_deterministic_and_hold_every_tracklet_once(tree):
    data = reader(tree, False)
    runs = [list(build_loader(data, TEST, [Normalise()], training=False, seed=seed)) for seed in (0, 1)]
    views = [view for batch in runs[0] for view in batch[3]]
    assert views[: len(data)] == data.views_list
    assert all(torch.equal(a[0][0], b[0][0]) for a, b in zip(*runs, strict=True))


def test_a_broken_frame_names_its_file_and_tracklet(tree, tmp_path):
    data = reader(shutil.copytree(tree, tmp_path / "tree"), False)
    info = data.seqs_info[0]
    info[3][0].write_bytes(b"")
    with pytest.raises(DataError) as error:
        next(iter(build_loader(data, TEST, [Normalise()], training=False, seed=0)))
    assert str(info[3][0]) in str(error.value) and "-".join(info[:3]) in str(error.value)
