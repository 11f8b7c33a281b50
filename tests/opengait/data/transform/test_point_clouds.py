"""Point clouds: the transform against its formula, and datasets of skeletons and ragged clouds through loaders."""

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from opengait import distributed
from opengait.data.collate_fn import CollateFn
from opengait.data.dataset import DataSet
from opengait.data.loader import build_loader
from opengait.data.transform import get_transform, point_clouds
from opengait.errors import DataError

legacy = np.random.RandomState  # noqa: NPY002 (the stream that the transform uses)


def make(**arguments):
    return get_transform({"type": "PointCloudsTransform", **arguments})


def clouds(frames: int = 3, points: int = 8, columns: int = 3) -> np.ndarray:
    return np.random.default_rng(7).normal(4, 2, (frames, points, columns)).astype(np.float32)


def unit_ball(points: np.ndarray) -> np.ndarray:
    out = []
    for cloud in points.astype(np.float64):
        centred = cloud - cloud.mean(axis=0)
        out.append(centred / max(np.sqrt((point**2).sum()) for point in centred))
    return np.stack(out)


def test_clouds_fill_the_unit_ball():
    result = make()(clouds())
    np.testing.assert_allclose(result, unit_ball(clouds()), atol=1e-6)
    assert np.linalg.norm(result, axis=-1).max(axis=1) == pytest.approx(1.0)
    np.testing.assert_allclose(make()(clouds(columns=5)), unit_ball(clouds(columns=5)[..., :3]), atol=1e-6)
    # Without xyz_only, additional columns count in the centre and in the radius.
    np.testing.assert_allclose(make(xyz_only=False)(clouds(columns=5)), unit_ball(clouds(columns=5)), atol=1e-6)


def test_the_height_column_is_last_and_unscaled():
    points = clouds()
    result = make(scale_aware=True, scale_prob=1, flip_prob=1, drop_prob=1)(points)
    assert result.shape == (3, 8, 4)
    np.testing.assert_allclose(result[..., 3], points[..., 2] - points[..., 2].min(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(points, clouds())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("probability", [1.0, 0.5])
def test_augmentations_and_their_draws_are_in_order(seed, probability):
    names = ("flip_prob", "shift_prob", "jit_prob", "scale_prob", "drop_prob")
    distributed.seed_everything(seed)
    result = make(**dict.fromkeys(names, probability))(clouds())
    stream = legacy(seed)
    points = unit_ball(clouds())
    if stream.random_sample() < probability:
        points[..., 1] = -points[..., 1]
    if stream.random_sample() < probability:
        points = points + stream.uniform(-0.1, 0.1, (3, 8, 3))
    if stream.random_sample() < probability:
        points = points + np.clip(stream.normal(0, 0.01, (3, 8, 3)), -0.05, 0.05)
    if stream.random_sample() < probability:
        points = points * stream.uniform(0.8, 1.25, (3, 1, 1))
    if stream.random_sample() < probability:
        share = stream.random_sample((3, 1)) * 0.875
        dropped = stream.random_sample((3, 8)) <= share
        assert dropped.any() and not dropped.all()
        for frame, point in zip(*np.nonzero(dropped), strict=True):
            points[frame, point] = points[frame, 0]
    np.testing.assert_allclose(result, points, atol=1e-6)


def test_jitter_is_bounded(monkeypatch):
    monkeypatch.setattr(point_clouds, "JITTER", 1.0)
    distributed.seed_everything(0)
    moved = make(jit_prob=1)(clouds()) - unit_ball(clouds())
    assert moved.min() == pytest.approx(-0.05, abs=1e-6) and moved.max() == pytest.approx(0.05, abs=1e-6)


def test_gates_are_drawn_for_every_probability():
    distributed.seed_everything(3)
    make()(clouds())
    stream = legacy(3)
    stream.random_sample(5)
    assert np.random.random() == stream.random_sample()  # noqa: NPY002


def test_additional_columns_are_not_shifted():
    distributed.seed_everything(0)
    result = make(xyz_only=False, shift_prob=1)(clouds(columns=5))
    np.testing.assert_allclose(result[..., 3:], unit_ball(clouds(columns=5))[..., 3:], atol=1e-6)
    assert not np.allclose(result[..., :3], unit_ball(clouds(columns=5))[..., :3], atol=1e-2)


def test_a_cloud_of_identical_points_stays_finite():
    assert (make()(np.full((2, 4, 3), 2.5)) == 0).all()


@pytest.mark.parametrize("shape", [(2, 0, 3), (2, 5, 2), (4, 3)])
def test_invalid_clouds_are_rejected(shape):
    with pytest.raises(DataError, match=r"PointCloudsTransform: .*\[frames, points"):
        make()(np.zeros(shape))


# Skeletons and ragged clouds through datasets, samplers and loaders.

POINTS = 6
TRANSFORMS = [
    {"type": "Compose", "trf_cfg": [{"type": "RandomMove"}, {"type": "PointNoise"}, {"type": "GaitTRMultiInput"}]},
    {"type": "PointCloudsTransform", "scale_aware": True, "flip_prob": 0.5, "scale_prob": 0.5, "drop_prob": 0.5},
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> DataSet:
    """Four people with two to four tracklets each; frames carry their number, and clouds 1 to 9 points."""
    folder = tmp_path_factory.mktemp("skeletons")
    rng = np.random.default_rng(0)
    for person in range(4):
        for take in range(2 + person % 3):
            directory = folder / f"data/{person:03d}/nm-{take:02d}/000"
            directory.mkdir(parents=True)
            frames = 4 + person + take
            poses = rng.normal(30, 8, (frames, 17, 3))
            # A unique value per frame, which identifies it later.
            poses[:, :, 2] = np.arange(frames)[:, None]
            ragged = [rng.normal(0, 1, (1 + (3 * f) % 9, 3)).astype(np.float32) + [0, 0, f] for f in range(frames)]
            (directory / "00-pose.pkl").write_bytes(pickle.dumps(poses))
            (directory / "01-cloud.pkl").write_bytes(pickle.dumps(ragged))
    partition = folder / "partition.json"
    ids = [f"{person:03d}" for person in range(4)]
    partition.write_text(json.dumps({"TRAIN_SET": ids}))
    data_cfg = {"dataset_name": "S", "dataset_root": str(folder / "data"), "dataset_partition": str(partition)}
    return DataSet(data_cfg, training=True)


def sampler_cfg(**keys) -> dict:
    return {
        "batch_size": [2, 2],
        "points_in_use": {"pointcloud_index": 1, "points_num": POINTS},
        "frames_num_fixed": 3,
        "frames_num_min": 2,
        "frames_num_max": 5,
        "frames_skip_num": 1,
        **keys,
    }


PICKS = ("unordered", "ordered", "allordered")


@pytest.mark.parametrize("counting", ["fixed", "unfixed", "all"])
@pytest.mark.parametrize("pick", PICKS)
def test_every_sample_type_picks_the_same_frames_of_both_features(dataset, counting, pick):
    cfg = sampler_cfg(sample_type=f"{counting}_{pick}", frames_all_limit=5)
    distributed.seed_everything(1)
    items = [dataset[index] for index in (0, 4, 9)]
    seqs, labels, _, _, lengths = CollateFn(dataset.label_set, cfg)(items)
    assert labels == [0, 1, 3]
    poses, drawn = seqs
    if counting == "fixed":
        assert lengths is None and [p.shape for p in poses] == [(3, 17, 3)] * 3
        assert [c.shape for c in drawn] == [(3, POINTS, 3)] * 3
    else:
        total = int(lengths.sum())
        assert len(poses) == len(drawn) == 1
        assert poses[0].shape == (total, 17, 3) and drawn[0].shape == (total, POINTS, 3)
        poses, drawn = (np.split(x[0], np.cumsum(lengths[0])[:-1]) for x in (poses, drawn))
    if counting == "all":
        assert lengths.tolist() == [[min(len(item[0][0]), 5) for item in items]]
    for (sources, _), some_poses, some_clouds in zip(items, poses, drawn, strict=True):
        numbers = some_poses[:, 0, 2].astype(int)
        if pick == "ordered" or counting == "all":
            assert (np.diff(numbers) > 0).all() or len(sources[0]) < len(numbers) + 1
        every = sources[1].load()
        for number, cloud in zip(numbers, some_clouds, strict=True):
            assert {tuple(point) for point in cloud} <= {tuple(point) for point in every[number]}


def test_points_are_drawn_per_frame_in_the_order_of_upstream(dataset):
    cfg = sampler_cfg(sample_type="all_ordered")
    sources = dataset[0][0]
    random.seed(8)
    seqs, *_ = CollateFn(dataset.label_set, cfg)([dataset[0]])
    random.seed(8)
    expected = [cloud[random.choices(range(len(cloud)), k=POINTS)] for cloud in sources[1].load()]
    np.testing.assert_array_equal(seqs[1][0], np.stack(expected))


def batches(dataset: DataSet, cfg: dict, workers: int, count: int = 3, training: bool = True) -> list:
    transforms = [get_transform(entry) for entry in TRANSFORMS]
    loader = build_loader(dataset, cfg, transforms, training=training, seed=5, num_workers=workers)
    return [batch for batch, _ in zip(loader, range(count), strict=False)]


@pytest.mark.parametrize(
    ("kind", "size", "tracklets"),
    [("TripletSampler", [2, 2], 4), ("CommonSampler", 3, 3), ("BilateralSampler", [2, 1], 4)],
)
@pytest.mark.parametrize("sample_type", ["fixed_ordered", "unfixed_unordered", "all_ordered"])
def test_every_sampler_yields_transformed_batches(dataset, kind, size, tracklets, sample_type):
    cfg = sampler_cfg(type=kind, batch_size=size, sample_type=sample_type)
    for seqs, labels, _, _, lengths in batches(dataset, cfg, workers=0):
        assert len(labels) == tracklets
        start = (tracklets, 3) if lengths is None else (1, int(lengths.sum()))
        assert seqs[0].shape == (*start, 17, 10) and seqs[1].shape == (*start, POINTS, 4)
        assert seqs[0].dtype == seqs[1].dtype == torch.float32
        assert lengths is None or lengths.shape == (1, tracklets)


def test_the_test_loader_yields_every_tracklet_once(dataset):
    cfg = sampler_cfg(type="InferenceSampler", batch_size=1, sample_type="all_ordered")
    result = batches(dataset, cfg, workers=0, count=99, training=False)
    assert [batch[1][0] for batch in result] == [dataset.label_set.index(info[0]) for info in dataset.seqs_info]
    assert [int(batch[4].sum()) for batch in result] == [len(dataset[index][0][0]) for index in range(len(dataset))]


def test_workers_draw_the_same_numbers_as_one_process(dataset):
    cfg = sampler_cfg(type="TripletSampler", sample_type="fixed_unordered")
    single, parallel = batches(dataset, cfg, workers=0), batches(dataset, cfg, workers=2)
    for one, other in zip(single, parallel, strict=True):
        assert one[1] == other[1]
        assert all(torch.equal(a, b) for a, b in zip(one[0], other[0], strict=True))
    assert not torch.equal(single[0][0][0], single[1][0][0])


def test_clouds_need_points_in_use(dataset):
    cfg = sampler_cfg(sample_type="fixed_unordered", points_in_use=None)
    with pytest.raises(DataError, match=r"feature 1 of tracklet S-000-nm-00-000 .*set sampler.points_in_use"):
        CollateFn(dataset.label_set, cfg)([dataset[0]])


def test_a_tracklet_of_uneven_features_is_named(dataset, tmp_path):
    directory = tmp_path / "data/001/nm-00/000"
    directory.mkdir(parents=True)
    (directory / "00-pose.pkl").write_bytes(pickle.dumps(np.zeros((4, 17, 3))))
    (directory / "01-cloud.pkl").write_bytes(pickle.dumps([np.zeros((2, 3))] * 3))
    Path(tmp_path / "p.json").write_text(json.dumps({"TRAIN_SET": ["001"]}))
    cfg = {"dataset_name": "S", "dataset_root": str(tmp_path / "data"), "dataset_partition": str(tmp_path / "p.json")}
    with pytest.raises(DataError, match=r"S-001-nm-00-000 differ .*00-pose.pkl: 4.*01-cloud.pkl: 3"):
        DataSet(cfg, training=True)[0]
