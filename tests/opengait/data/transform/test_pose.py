"""Skeleton transforms against explicit computations per joint, with the same random draws."""

import logging

import numpy as np
import pytest

from opengait import distributed
from opengait.data.transform import get_transform
from opengait.errors import ConfigError, DataError

# The generator behind the global stream that the transforms use.
legacy = np.random.RandomState  # noqa: NPY002

SWAPPED = {
    "coco": [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15],
    "openpose": [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16],
}
BONES = {
    "coco": [5, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14],
    "openpose": [1, 1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15],
}


def make(kind: str, **arguments):
    return get_transform({"type": kind, **arguments})


def skeletons(frames: int = 6, joints: int = 17, dtype: type = np.float64) -> np.ndarray:
    rng = np.random.default_rng(frames * joints)
    poses = rng.normal(30, 8, (frames, joints, 3))
    poses[:, :, 2] = rng.random((frames, joints))
    return poses.astype(dtype)


def run(transform, poses: np.ndarray, seed: int = 0) -> np.ndarray:
    """Apply a transform to a copy under a seed."""
    distributed.seed_everything(seed)
    return transform(poses.copy())


def gate(probability: float, passes: bool) -> int:
    """Return a seed whose first draw passes, or fails, the gate of a transform with that probability."""
    return next(seed for seed in range(100) if (legacy(seed).random_sample() <= probability) == passes)


def test_a_random_window():
    poses = skeletons(9)
    starts = set()
    for seed in range(30):
        start = legacy(seed).randint(0, 9 - 4)
        np.testing.assert_array_equal(
            run(make("RandomSelectSequence", sequence_length=4), poses, seed), poses[start:][:4]
        )
        starts.add(start)
    assert starts == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(run(make("RandomSelectSequence", sequence_length=9), poses), poses)


@pytest.mark.parametrize(("frames", "start"), [(9, 2), (8, 2), (5, 0), (4, 0)])
def test_the_middle_window(frames, start):
    poses = skeletons(frames)
    np.testing.assert_array_equal(make("SelectSequenceCenter", sequence_length=4)(poses), poses[start : start + 4])


def test_a_tracklet_too_short_for_a_random_window():
    with pytest.raises(DataError, match="RandomSelectSequence: .* 10 .* 6"):
        make("RandomSelectSequence")(skeletons(6))


def test_a_tracklet_shorter_than_the_middle_window_is_kept_whole_and_logged_once(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    centre = make("SelectSequenceCenter")
    with caplog.at_level(logging.INFO, "opengait"):
        for frames in (9, 6, 1):
            np.testing.assert_array_equal(centre(skeletons(frames)), skeletons(frames))
    assert [record.getMessage() for record in caplog.records] == [
        "SelectSequenceCenter: tracklets shorter than 10 frames, such as one of 9, are kept whole."
    ]


def test_mirroring_is_about_the_mean_of_each_frame():
    poses = skeletons()
    result = run(make("MirrorPoses", prob=0.3), poses, gate(0.3, True))
    for frame, new in zip(poses, result, strict=True):
        np.testing.assert_allclose(new[:, 0], 2 * frame[:, 0].mean() - frame[:, 0])
        np.testing.assert_array_equal(new[:, 1:], frame[:, 1:])
    np.testing.assert_array_equal(run(make("MirrorPoses", prob=0.3), poses, gate(0.3, False)), poses)


def test_missing_joints_move_to_the_mean_one_by_one():
    poses = skeletons(2, 4)
    poses[1, 1], poses[1, 3], poses[0, 2, 1] = (0, 5, 0.7), (0, 0, 0.2), 0
    result = make("NormalizeEmpty")(poses.copy())
    np.testing.assert_array_equal(result[0], poses[0])
    first = poses[1, :, :2].mean(axis=0)
    np.testing.assert_allclose(result[1, 1], [*first, 0])
    second = (poses[1, 0, :2] + first + poses[1, 2, :2] + poses[1, 3, :2]) / 4
    np.testing.assert_allclose(result[1, 3], [*second, 0])
    np.testing.assert_array_equal(result[1, [0, 2]], poses[1, [0, 2]])


def test_random_move_shifts_the_whole_tracklet():
    poses = skeletons()
    stream = legacy(3)
    x, y = stream.uniform(-3, 3), stream.uniform(-1, 1)
    np.testing.assert_allclose(run(make("RandomMove", random_r=[3, 1]), poses, 3), poses + [x, y, 0])
    stream = legacy(3)
    expected = poses + [stream.uniform(-4, 4), stream.uniform(-1, 1), 0]
    np.testing.assert_allclose(run(make("RandomMove"), poses, 3), expected)


def test_noise_on_points_and_on_joints():
    poses = skeletons()
    noise = legacy(5).normal(0, 0.3, poses.shape).astype(np.float32)
    np.testing.assert_array_equal(run(make("PointNoise", std=0.3), poses, 5), poses + noise)
    noise = legacy(5).normal(0, 0.25, (17, 2)).astype(np.float32)
    result = run(make("JointNoise"), poses, 5)
    for frame in range(len(poses)):
        np.testing.assert_array_equal(result[frame, :, :2], poses[frame, :, :2] + noise)
    np.testing.assert_array_equal(result[:, :, 2], poses[:, :, 2])


def test_flip_sequence_reverses_the_frames():
    poses = skeletons()
    np.testing.assert_array_equal(run(make("FlipSequence", probability=0.2), poses, gate(0.2, True)), poses[::-1])
    np.testing.assert_array_equal(run(make("FlipSequence", probability=0.2), poses, gate(0.2, False)), poses)


@pytest.mark.parametrize("layout", ["coco", "openpose"])
def test_left_and_right_are_swapped_per_frame(layout):
    order = SWAPPED[layout]
    poses = skeletons(12, len(order))
    result = run(make("InversePosesPre", probability=0.4, joint_format=layout), poses, 2)
    stream = legacy(2)
    acted = []
    for frame, new in zip(poses, result, strict=True):
        acts = stream.random_sample() <= 0.4
        np.testing.assert_array_equal(new, frame[order] if acts else frame)
        acted.append(acts)
    assert 0 < sum(acted) < 12


def motion(positions: np.ndarray, frame: int, step: int) -> np.ndarray:
    return positions[frame + step] - positions[frame] if frame + 2 < len(positions) else np.zeros_like(positions[frame])


@pytest.mark.parametrize("layout", ["coco", "openpose"])
@pytest.mark.parametrize("frames", [1, 2, 6])
def test_ten_channels_of_gaittr(layout, frames):
    poses = skeletons(frames, len(BONES[layout]), np.float32)
    result = make("GaitTRMultiInput", joint_format=layout)(poses)
    assert result.shape == (frames, len(BONES[layout]), 10) and result.dtype == np.float64
    positions = poses[:, :, :2].astype(np.float64)
    for frame in range(frames):
        for joint, origin in enumerate(BONES[layout]):
            position = positions[frame, joint]
            motions = [motion(positions, frame, step)[joint] for step in (1, 2)]
            parts = [position, position - positions[frame, 0], *motions, position - positions[frame, origin]]
            np.testing.assert_allclose(result[frame, joint], np.concatenate(parts))


@pytest.mark.parametrize(("layout", "center"), [("coco", 0), ("openpose", 1)])
def test_three_branches_of_gaitgraph(layout, center):
    poses = skeletons(5, len(BONES[layout]))
    result = make("GaitGraphMultiInput", joint_format=layout, center=center)(poses)
    assert result.shape == (5, len(BONES[layout]), 3, 5) and result.dtype == np.float64
    positions = poses[:, :, :2]
    for frame in range(5):
        one, two = motion(positions, frame, 1), motion(positions, frame, 2)
        for joint, origin in enumerate(BONES[layout]):
            x, y, confidence = poses[frame, joint]
            relative = positions[frame, joint] - positions[frame, center]
            np.testing.assert_allclose(result[frame, joint, 0], [x, y, confidence, *relative])
            np.testing.assert_allclose(result[frame, joint, 1], [*one[joint], 0, confidence, two[joint, 1]])
            dx, dy = positions[frame, joint] - positions[frame, origin]
            angle = np.arccos(dy / (np.hypot(dx, dy) + 1e-4))
            np.testing.assert_allclose(result[frame, joint, 2], [dx, dy, 0, confidence, angle])


def test_axes_of_network_inputs():
    poses = skeletons()
    assert make("GaitGraph1Input")(poses).shape == (3, 6, 17, 1)
    assert make("GaitGraph1Input")(poses)[2, 4, 7, 0] == poses[4, 7, 2]
    assert make("SkeletonInput")(poses).shape == (6, 3, 17, 1)
    assert make("SkeletonInput")(poses)[4, 2, 7, 0] == poses[4, 7, 2]


def test_twelve_joints_of_msgg():
    poses = skeletons()
    joints = [6, 8, 14, 12, 7, 13, 5, 10, 16, 11, 9, 15]
    np.testing.assert_array_equal(make("MSGGTransform")(poses), poses[:, joints])
    # Upstream's files name the layout under a key that the transform never had, so 17 joints are always selected.
    np.testing.assert_array_equal(make("MSGGTransform", prob="alphapose")(poses), poses[:, joints])
    poses = skeletons(3, 18)
    for layout in ("alphapose", "openpose"):
        result = make("MSGGTransform", joint_format=layout)(poses)
        np.testing.assert_array_equal(result, poses[:, [2, 3, 9, 8, 6, 12, 5, 4, 10, 11, 7, 13]])


GAITGRAPH = [
    {"type": "MirrorPoses"},
    {"type": "FlipSequence"},
    {"type": "RandomSelectSequence", "sequence_length": 4},
    {"type": "PointNoise", "std": 0.05},
    {"type": "JointNoise", "std": 0.2},
    {"type": "GaitGraph1Input"},
]


def test_two_views_are_two_passes_over_the_same_array():
    poses = skeletons(9)
    seeds = range(12)
    result = [run(make("TwoView", trf_cfg=GAITGRAPH), poses, seed) for seed in seeds]
    for seed, views in zip(seeds, result, strict=True):
        assert views.shape == (3, 8, 17, 1)
        distributed.seed_everything(seed)
        array, once = poses.copy(), make("Compose", trf_cfg=GAITGRAPH)
        np.testing.assert_array_equal(views, np.concatenate([once(array), once(array)], axis=1))
    # The second pass mirrors the array that the first pass mirrored in place.
    mirror = [{"type": "MirrorPoses", "prob": 1}, {"type": "GaitGraph1Input"}]
    views = run(make("TwoView", trf_cfg=mirror), poses)
    mirrored = run(make("MirrorPoses", prob=1), poses).transpose(2, 0, 1)[..., None]
    np.testing.assert_allclose(views[:, :9], mirrored)
    np.testing.assert_allclose(views[:, 9:], poses.transpose(2, 0, 1)[..., None])


def test_two_views_pass_on_the_info(temporarily):
    from opengait import registry

    class AddView:
        needs_info = True

        def __call__(self, poses, info):
            return poses + float(info[2])

    temporarily(registry.transforms, AddView)
    views = make("TwoView", trf_cfg=[{"type": "AddView"}])
    assert views.needs_info
    assert (views(np.zeros((2, 3, 3)), ["a", "t", "90"]) == 90).all()


@pytest.mark.parametrize("kind", ["MirrorPoses", "NormalizeEmpty", "RandomMove"])
def test_integers_become_floats(kind):
    poses = np.array([[[0, 3, 1], [5, 4, 1], [6, 9, 1]]])
    expected = run(make(kind), poses.astype(np.float64), gate(0.5, True))
    np.testing.assert_allclose(run(make(kind), poses, gate(0.5, True)), expected)


@pytest.mark.parametrize("kind", ["InversePosesPre", "GaitTRMultiInput", "GaitGraphMultiInput"])
def test_a_wrong_layout_is_named(kind):
    with pytest.raises(DataError, match=rf"{kind}: .* 17 joints.*\[6, 18, 3\]"):
        make(kind)(skeletons(6, 18))
    with pytest.raises(ConfigError, match="joint_format: .*coco.*'body25'"):
        make(kind, joint_format="body25")


def test_a_wrong_layout_for_msgg_is_named():
    with pytest.raises(ConfigError, match="MSGGTransform's .*'coco-no-head'"):
        make("MSGGTransform", joint_format="coco-no-head")
    with pytest.raises(DataError, match="MSGGTransform: .* 16 joints.* 12"):
        make("MSGGTransform")(skeletons(6, 12))
