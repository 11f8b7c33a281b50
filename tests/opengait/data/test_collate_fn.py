"""Collation: upstream's draws and layouts, transforms, and messages that name the tracklet."""

import json

import numpy as np
import pytest
import torch

from opengait import distributed
from opengait.data.collate_fn import CollateFn
from opengait.errors import ConfigError, DataError
from tests.paths import GOLDEN_DIR

GOLDEN = json.loads((GOLDEN_DIR / "opengait/sampling.json").read_text())


def constant_frames(values) -> np.ndarray:
    return np.stack([np.full((2, 2), value, dtype=np.uint8) for value in values])


@pytest.fixture
def batch() -> list:
    return [
        ([constant_frames(range(7))], ["id0", "t", "v", ["a"]]),
        ([constant_frames(range(100, 103))], ["id3", "t2", "v2", ["b"]]),
    ]


@pytest.mark.parametrize("name", GOLDEN["collate"])
def test_collation_equals_upstream(name, batch):
    expected = GOLDEN["collate"][name]
    distributed.seed_everything(0)
    seqs, labels, types, views, lengths = CollateFn(GOLDEN["dataset"]["label_set"], expected["cfg"])(batch)
    assert len(seqs) == 1
    assert [array[:, 0, 0].tolist() for array in seqs[0]] == expected["frames"]
    assert [list(array.shape) for array in seqs[0]] == expected["shapes"]
    assert (labels, types, views) == (expected["labels"], expected["types"], expected["views"])
    assert (None if lengths is None else lengths.tolist()) == expected["seqL"]


def test_lists_of_frames_are_collated_as_arrays(batch):
    expected = GOLDEN["collate"]["fixed_unordered"]
    listed = [([list(source) for source in sources], info) for sources, info in batch]
    distributed.seed_everything(0)
    seqs = CollateFn(GOLDEN["dataset"]["label_set"], expected["cfg"])(listed)[0]
    assert [array[:, 0, 0].tolist() for array in seqs[0]] == expected["frames"]


def test_transformed_batches_are_stacked_or_packed_float_tensors(batch):
    def double(frames):
        return frames * 2.0

    labels = GOLDEN["dataset"]["label_set"]
    fixed = CollateFn(labels, {"sample_type": "fixed_segment_first", "frames_num_fixed": 3}, [double])(batch)
    assert fixed[0][0].dtype == torch.float32 and fixed[0][0].shape == (2, 3, 2, 2) and fixed[4] is None
    assert fixed[0][0][:, :, 0, 0].tolist() == [[0, 6, 12], [200, 202, 204]]
    packed = CollateFn(labels, {"sample_type": "all_ordered"}, [double])(batch)
    assert packed[0][0].shape == (1, 10, 2, 2)
    assert packed[0][0][0, :, 0, 0].tolist() == [0, 2, 4, 6, 8, 10, 12, 200, 202, 204]
    assert packed[4].tolist() == [[7, 3]] and packed[4].dtype == np.int32


def test_a_transform_may_need_the_info_of_a_tracklet(batch):
    class AddType:
        needs_info = True

        def __call__(self, frames, info):
            return frames + len(info[1]) * 0.5

    cfg = {"sample_type": "fixed_segment_first", "frames_num_fixed": 1}
    seqs, *_ = CollateFn(GOLDEN["dataset"]["label_set"], cfg, [AddType()])(batch)
    assert seqs[0][:, 0, 0, 0].tolist() == [0.5, 101.0]


def test_only_picked_frames_are_read():
    class Counting:
        indexed: list = []

        def __len__(self):
            return 24

        def __getitem__(self, indices):
            self.indexed.extend(indices)
            return np.zeros((len(indices), 2, 2))

    source = Counting()
    cfg = {"sample_type": "fixed_segment_first", "frames_num_fixed": 6}
    CollateFn(["a"], cfg)([([source], ["a", "t", "v", []])])
    assert source.indexed == [0, 4, 8, 12, 16, 20]


def test_all_features_share_the_picked_frames():
    first, second = constant_frames(range(9)), constant_frames(range(9))
    seqs, *_ = CollateFn(["a"], {"sample_type": "fixed_unordered", "frames_num_fixed": 4})(
        [([first, second], ["a", "t", "v", []])]
    )
    assert np.array_equal(seqs[0][0], seqs[1][0])


def test_point_clouds_are_sampled_to_one_size():
    clouds = [np.arange(n * 3).reshape(n, 3) for n in (5, 9, 2)]

    class Ragged:
        def __len__(self):
            return 3

        def __getitem__(self, indices):
            return [clouds[index] for index in indices]

    cfg = {"sample_type": "fixed_segment_first", "frames_num_fixed": 3}
    points = {"points_in_use": {"pointcloud_index": 0, "points_num": 7}}
    seqs, *_ = CollateFn(["a"], cfg | points)([([Ragged()], ["a", "t", "v", []])])
    assert seqs[0][0].shape == (3, 7, 3)
    assert all(
        {tuple(p) for p in drawn} <= {tuple(p) for p in cloud} for drawn, cloud in zip(seqs[0][0], clouds, strict=True)
    )
    with pytest.raises(DataError, match="a-t-v.*points_in_use"):
        CollateFn(["a"], cfg)([([Ragged()], ["a", "t", "v", []])])


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([np.zeros((3, 2, 2)), np.zeros((4, 2, 2))], "a-t-v.*3.*4"),
        ([np.zeros((0, 2, 2))], "a-t-v has no frames"),
        ([], "a-t-v has no feature"),
    ],
)
def test_unusable_tracklets_are_named(sources, message):
    with pytest.raises(DataError, match=message):
        CollateFn(["a"], {"sample_type": "all_ordered"})([(sources, ["a", "t", "v", []])])


def test_frames_of_different_sizes_cannot_share_a_batch(batch):
    batch[1] = ([np.zeros((3, 4, 2))], ["id3", "t2", "v2", ["b"]])
    with pytest.raises(DataError, match=r"id3-t2-v2 has shape \(4, 2\)"):
        CollateFn(["id0", "id3"], {"sample_type": "all_ordered"})(batch)


def test_transforms_must_match_the_features(batch):
    cfg = {"sample_type": "all_ordered"}
    with pytest.raises(ConfigError, match="2 entries.*id0-t-v has 1 features"):
        CollateFn(["id0", "id3"], cfg, [np.asarray, np.asarray])(batch)
    with pytest.raises(ConfigError, match="nested list"):
        CollateFn(["id0", "id3"], cfg, [[np.asarray]])
