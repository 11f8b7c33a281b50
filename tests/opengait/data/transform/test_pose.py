"""Skeleton transforms: every one against its description written out joint by joint, with the draws it makes."""

import logging

import numpy as np
import pytest

from opengait import distributed
from opengait.data.transform import get_transform
from opengait.errors import ConfigError, DataError

# Draws of the tests come from the stream that the transforms use.
legacy = np.random.RandomState  # noqa: NPY002

FLIPPED = {
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
    """On a copy, under that seed."""
    distributed.seed_everything(seed)
    return transform(poses.copy())


def gate(probability: float, passes: bool) -> int:
    """A seed whose first draw does, or does not, let a transform of that probability act."""
    return next(seed for seed in range(100) if (legacy(seed).random_sample() <= probability) == passes)


def test_a_random_stretch():
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
def test_the_middle_stretch(frames, start):
    poses = skeletons(frames)
    np.testing.assert_array_equal(make("SelectSequenceCenter", sequence_length=4)(poses), poses[start : start + 4])


def test_too_short_for_a_random_stretch():
    with pytest.raises(DataError, match="RandomSelectSequence: .* 10 .* 6"):
        make("RandomSelectSequence")(skeletons(6))


def test_a_tracklet_shorter_than_the_middle_stretch_is_used_whole_and_that_is_said_once(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    centre = make("SelectSequenceCenter")
    with caplog.at_level(logging.INFO, "opengait"):
        for frames in (9, 6, 1):
            np.testing.assert_array_equal(centre(skeletons(frames)), skeletons(frames))
    assert [record.getMessage() for record in caplog.records] == [
        "SelectSequenceCenter: tracklets shorter than 10 frames, such as one of 9, are kept whole."
    ]


def test_mirroring_about_each_frames_mean():
    poses = skeletons()
    found = run(make("MirrorPoses", prob=0.3), poses, gate(0.3, True))
    for frame, new in zip(poses, found, strict=True):
        np.testing.assert_allclose(new[:, 0], 2 * frame[:, 0].mean() - frame[:, 0])
        np.testing.assert_array_equal(new[:, 1:], frame[:, 1:])
    np.testing.assert_array_equal(run(make("MirrorPoses", prob=0.3), poses, gate(0.3, False)), poses)


def test_missing_joints_go_to_the_mean_one_after_another():
    poses = skeletons(2, 4)
    poses[1, 1], poses[1, 3], poses[0, 2, 1] = (0, 5, 0.7), (0, 0, 0.2), 0
    found = make("NormalizeEmpty")(poses.copy())
    np.testing.assert_array_equal(found[0], poses[0])
    first = poses[1, :, :2].mean(axis=0)
    np.testing.assert_allclose(found[1, 1], [*first, 0])
    second = (poses[1, 0, :2] + first + poses[1, 2, :2] + poses[1, 3, :2]) / 4
    np.testing.assert_allclose(found[1, 3], [*second, 0])
    np.testing.assert_array_equal(found[1, [0, 2]], poses[1, [0, 2]])


def test_moving_the_whole_tracklet():
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
    found = run(make("JointNoise"), poses, 5)
    for frame in range(len(poses)):
        np.testing.assert_array_equal(found[frame, :, :2], poses[frame, :, :2] + noise)
    np.testing.assert_array_equal(found[:, :, 2], poses[:, :, 2])


def test_time_runs_backwards():
    poses = skeletons()
    np.testing.assert_array_equal(run(make("FlipSequence", probability=0.2), poses, gate(0.2, True)), poses[::-1])
    np.testing.assert_array_equal(run(make("FlipSequence", probability=0.2), poses, gate(0.2, False)), poses)


@pytest.mark.parametrize("layout", ["coco", "openpose"])
def test_left_and_right_change_places_frame_by_frame(layout):
    order = FLIPPED[layout]
    poses = skeletons(12, len(order))
    found = run(make("InversePosesPre", probability=0.4, joint_format=layout), poses, 2)
    stream = legacy(2)
    acted = []
    for frame, new in zip(poses, found, strict=True):
        acts = stream.random_sample() <= 0.4
        np.testing.assert_array_equal(new, frame[order] if acts else frame)
        acted.append(acts)
    assert 0 < sum(acted) < 12


def motion(place: np.ndarray, frame: int, step: int) -> np.ndarray:
    return place[frame + step] - place[frame] if frame + 2 < len(place) else np.zeros_like(place[frame])


@pytest.mark.parametrize("layout", ["coco", "openpose"])
@pytest.mark.parametrize("frames", [1, 2, 6])
def test_gaittrs_ten_channels(layout, frames):
    poses = skeletons(frames, len(BONES[layout]), np.float32)
    found = make("GaitTRMultiInput", joint_format=layout)(poses)
    assert found.shape == (frames, len(BONES[layout]), 10) and found.dtype == np.float64
    place = poses[:, :, :2].astype(np.float64)
    for frame in range(frames):
        for joint, origin in enumerate(BONES[layout]):
            here = place[frame, joint]
            parts = [here, here - place[frame, 0], motion(place, frame, 1)[joint], motion(place, frame, 2)[joint]]
            np.testing.assert_allclose(found[frame, joint], np.concatenate([*parts, here - place[frame, origin]]))


@pytest.mark.parametrize(("layout", "center"), [("coco", 0), ("openpose", 1)])
def test_gaitgraphs_three_branches(layout, center):
    poses = skeletons(5, len(BONES[layout]))
    found = make("GaitGraphMultiInput", joint_format=layout, center=center)(poses)
    assert found.shape == (5, len(BONES[layout]), 3, 5) and found.dtype == np.float64
    place = poses[:, :, :2]
    for frame in range(5):
        one, two = motion(place, frame, 1), motion(place, frame, 2)
        for joint, origin in enumerate(BONES[layout]):
            x, y, confidence = poses[frame, joint]
            np.testing.assert_allclose(
                found[frame, joint, 0], [x, y, confidence, x - place[frame, center, 0], y - place[frame, center, 1]]
            )
            np.testing.assert_allclose(found[frame, joint, 1], [*one[joint], 0, confidence, two[joint, 1]])
            dx, dy = place[frame, joint] - place[frame, origin]
            angle = np.arccos(dy / (np.hypot(dx, dy) + 1e-4))
            np.testing.assert_allclose(found[frame, joint, 2], [dx, dy, 0, confidence, angle])


def test_axes_in_the_networks_order():
    poses = skeletons()
    assert make("GaitGraph1Input")(poses).shape == (3, 6, 17, 1)
    assert make("GaitGraph1Input")(poses)[2, 4, 7, 0] == poses[4, 7, 2]
    assert make("SkeletonInput")(poses).shape == (6, 3, 17, 1)
    assert make("SkeletonInput")(poses)[4, 2, 7, 0] == poses[4, 7, 2]


def test_msggs_twelve_joints():
    poses = skeletons()
    joints = [6, 8, 14, 12, 7, 13, 5, 10, 16, 11, 9, 15]
    np.testing.assert_array_equal(make("MSGGTransform")(poses), poses[:, joints])
    # Upstream's files name the layout under a key that the transform never had: 17 joints whatever they say.
    np.testing.assert_array_equal(make("MSGGTransform", prob="alphapose")(poses), poses[:, joints])
    poses = skeletons(3, 18)
    for layout in ("alphapose", "openpose"):
        found = make("MSGGTransform", joint_format=layout)(poses)
        np.testing.assert_array_equal(found, poses[:, [2, 3, 9, 8, 6, 12, 5, 4, 10, 11, 7, 13]])


GAITGRAPH = [
    {"type": "MirrorPoses"},
    {"type": "FlipSequence"},
    {"type": "RandomSelectSequence", "sequence_length": 4},
    {"type": "PointNoise", "std": 0.05},
    {"type": "JointNoise", "std": 0.2},
    {"type": "GaitGraph1Input"},
]


def test_two_views_are_two_runs_on_the_same_array():
    poses = skeletons(9)
    seeds = range(12)
    found = [run(make("TwoView", trf_cfg=GAITGRAPH), poses, seed) for seed in seeds]
    for seed, views in zip(seeds, found, strict=True):
        assert views.shape == (3, 8, 17, 1)
        distributed.seed_everything(seed)
        array, once = poses.copy(), make("Compose", trf_cfg=GAITGRAPH)
        np.testing.assert_array_equal(views, np.concatenate([once(array), once(array)], axis=1))
    # Mirrored once for both: the second run found what the first had edited.
    mirror = [{"type": "MirrorPoses", "prob": 1}, {"type": "GaitGraph1Input"}]
    views = run(make("TwoView", trf_cfg=mirror), poses)
    mirrored = run(make("MirrorPoses", prob=1), poses).transpose(2, 0, 1)[..., None]
    np.testing.assert_allclose(views[:, :9], mirrored)
    np.testing.assert_allclose(views[:, 9:], poses.transpose(2, 0, 1)[..., None])


def test_two_views_pass_the_tracklets_information_on(temporarily):
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
def test_whole_numbers_become_fractions(kind):
    poses = np.array([[[0, 3, 1], [5, 4, 1], [6, 9, 1]]])
    wanted = run(make(kind), poses.astype(np.float64), gate(0.5, True))
    np.testing.assert_allclose(run(make(kind), poses, gate(0.5, True)), wanted)


@pytest.mark.parametrize("kind", ["InversePosesPre", "GaitTRMultiInput", "GaitGraphMultiInput"])
def test_skeletons_of_another_layout_are_named(kind):
    with pytest.raises(DataError, match=rf"{kind}: .* 17 joints.*\[6, 18, 3\]"):
        make(kind)(skeletons(6, 18))
    with pytest.raises(ConfigError, match="joint_format: .*coco.*'body25'"):
        make(kind, joint_format="body25")


def test_msgg_of_another_layout_is_named():
    with pytest.raises(ConfigError, match="MSGGTransform's .*'coco-no-head'"):
        make("MSGGTransform", joint_format="coco-no-head")
    with pytest.raises(DataError, match="MSGGTransform: .* 16 joints.* 12"):
        make("MSGGTransform")(skeletons(6, 12))
