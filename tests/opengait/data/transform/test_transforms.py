"""Transforms against upstream's outputs for the same seeds, and by hand where there is no golden value."""

import random

import cv2
import numpy as np
import pytest

from opengait import distributed, registry
from opengait.data.transform import get_transform
from opengait.errors import ConfigError, DataError
from tests.golden import seeded
from tests.paths import GOLDEN_DIR

GOLDEN = np.load(GOLDEN_DIR / "opengait/transforms.npz")


def u8(name: str, shape: list[int]) -> np.ndarray:
    return np.round(255 * seeded.uniform(f"transform:{name}", shape)).astype(np.uint8)


def make(kind: str, **arguments):
    return get_transform({"type": kind, **arguments})


PLAIN = {
    "BaseSilCuttingTransform_64": (lambda: make("BaseSilCuttingTransform"), lambda: u8("sil64", [2, 64, 64])),
    "BaseSilCuttingTransform_128": (lambda: make("BaseSilCuttingTransform"), lambda: u8("sil128", [1, 128, 128])),
    "BaseSilCuttingTransform_cut3": (
        lambda: make("BaseSilCuttingTransform", cutting=3),
        lambda: u8("sil64", [2, 64, 64]),
    ),
    "BaseSilTransform": (lambda: make("BaseSilTransform"), lambda: u8("sil64", [2, 64, 64])),
    "BaseRgbTransform": (lambda: make("BaseRgbTransform"), lambda: u8("rgb", [2, 3, 16, 8])),
    "RatioHW": (lambda: make("RatioHW"), lambda: u8("ratio", [5, 2]).astype(np.float64) + 1),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_transforms_equal_upstream(name):
    transform, frames = PLAIN[name]
    result = transform()(frames())
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result.astype(np.float32), GOLDEN[name])


@pytest.mark.parametrize("name", [name for name in GOLDEN if "seed" in name])
def test_random_transforms_equal_upstream(name):
    kind, seed = name.split("_seed")
    frames = u8("aug", [2, 64, 64]) / 255
    if kind == "RandomErasing_per_frame":
        transform = make("RandomErasing", prob=1, per_frame=True)
    else:
        transform = make(kind) if kind == "RandomHorizontalFlip" else make(kind, prob=1)
        frames = frames[..., 10:54] if kind == "RandomErasing" else frames
    distributed.seed_everything(int(seed))
    before = frames.copy()
    np.testing.assert_allclose(transform(frames), GOLDEN[name], atol=1e-6)
    np.testing.assert_array_equal(frames, before)


def test_parsing_maps_are_divided_only_if_they_are_images():
    parts = np.full((2, 4, 64), 7, dtype=np.uint8)
    assert np.all(make("BaseParsingCuttingTransform")(parts) == 7.0)
    parts[0, 0, 12] = 255
    result = make("BaseParsingCuttingTransform")(parts)
    assert result.shape == (2, 4, 44) and result[0, 0, 2] == 1.0 and result[1, 0, 0] == 7 / 255
    parts[:] = 7
    parts[0, 0, 0] = 255  # in a column that is cut away
    assert np.all(make("BaseParsingCuttingTransform")(parts) == 7.0)


def test_cutting_zero_columns_keeps_the_width():
    assert make("BaseSilCuttingTransform", cutting=0)(np.full((1, 64, 64), 255)).shape == (1, 64, 64)
    assert make("BaseSilCuttingTransform")(np.full((1, 64, 44), 255)).shape == (1, 64, 44)


def test_reshaping_and_rearranging():
    assert make("BaseSilTransform", img_shape=[2, 8])(np.full((3, 16), 255)).shape == (3, 2, 8)
    frames = np.arange(24).reshape(2, 2, 2, 3)
    moved = make("Rearrange", source="t h w c", destination="t c h w")(frames)
    np.testing.assert_array_equal(moved, frames.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", ["BaseSilTransform", "BaseSilCuttingTransform"])
@pytest.mark.parametrize(
    ("frames", "arguments", "message"),
    [
        (np.ones((2, 64, 44), np.uint8), {}, "0 to 255 is meant"),
        (np.ones((2, 64, 44), bool), {}, "0 to 255 is meant"),
        (np.full((2, 64, 44), 0.7, np.float32), {}, "`divsor: 1`"),
        (np.full((2, 64, 44), 255, np.uint8), {"divsor": 1}, "up to 255"),
        (np.full((2, 64, 44, 1), 255, np.uint8), {}, r"got \[2, 64, 44, 1\]"),
        (np.full((2, 64, 44, 3), 255, np.uint8), {}, r"got \[2, 64, 44, 3\]"),
    ],
)
def test_silhouettes_of_another_scale_or_with_channels_last(kind, frames, arguments, message):
    with pytest.raises(DataError, match=message):
        make(kind, **arguments)(frames)


@pytest.mark.parametrize("shape", [(2, 64, 44), (2, 1, 64, 44), (2, 64, 44, 3)])
def test_colours_need_three_channels(shape):
    with pytest.raises(DataError, match="BaseSilCuttingTransform"):
        make("BaseRgbTransform")(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("frames", "divisor"),
    [(np.zeros((2, 64, 44), np.uint8), 255), (np.eye(44)[None], 1), (np.full((2, 3, 8, 5), 255), 255)],
)
def test_empty_and_fitting_silhouettes_pass(frames, divisor):
    assert make("BaseSilTransform", divsor=divisor)(frames).max() <= 1


WARPS = [("RandomRotate", {"degree": 10}), ("RandomPerspective", {}), ("RandomAffine", {})]


@pytest.mark.parametrize(("kind", "arguments"), WARPS)
@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 1, 64, 64), (2, 3, 64, 48), (2, 5, 70, 64)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64])
def test_warps_keep_shape_and_type_and_warp_all_planes_equally(kind, arguments, shape, dtype):
    plane = (u8("warp", shape[-2:]) // 2).astype(dtype)
    frames = np.broadcast_to(plane, shape)
    distributed.seed_everything(4)
    result = make(kind, prob=1, **arguments)(frames)
    assert result.shape == shape and result.dtype == dtype
    assert not np.array_equal(result, frames)
    planes = result.reshape(-1, *shape[-2:])
    assert all(np.array_equal(planes[0], other) for other in planes)


def test_rotation_is_about_the_swapped_centre():
    random.seed(0)
    random.uniform(0, 1)
    angle = random.uniform(-30, 30)
    plane = u8("turn", [40, 60]).astype(np.float64)
    matrix = cv2.getRotationMatrix2D((20, 30), angle, 1)
    random.seed(0)
    result = make("RandomRotate", prob=1, degree=30)(plane[None])
    np.testing.assert_array_equal(result[0], cv2.warpAffine(plane, matrix, (60, 40)))


@pytest.mark.parametrize(("kind", "shape"), [("RandomPerspective", (2, 64, 43)), ("RandomAffine", (2, 6, 64))])
def test_frames_too_small_to_warp_are_unchanged(kind, shape):
    frames = np.random.default_rng(0).random(shape)
    np.testing.assert_array_equal(make(kind, prob=1)(frames), frames)


@pytest.mark.parametrize(
    "kind",
    ["RandomRotate", "RandomPerspective", "RandomAffine", "RandomErasing", "RandomPartDilate", "RandomPartBlur"],
)
@pytest.mark.parametrize("shape", [(1, 64, 44), (3, 64, 44), (2, 1, 64, 44), (2, 3, 64, 44)])
def test_probability_zero_changes_nothing_and_one_changes_a_copy(kind, shape):
    frames = (seeded.uniform("gate", shape) > 0.5).astype(np.float64)
    before = frames.copy()
    random.seed(1)
    assert make(kind, prob=0)(frames) is frames
    changed = make(kind, prob=1)(frames)
    assert changed.shape == shape and not np.array_equal(changed, before)
    np.testing.assert_array_equal(frames, before)


def test_erasing_uses_one_box_for_all_frames_and_channels():
    frames = np.ones((4, 3, 64, 44))
    for seed in range(20):
        random.seed(seed)
        erased = make("RandomErasing", prob=1)(frames) == 0
        assert np.array_equal(erased, np.broadcast_to(erased[:1, :1], erased.shape))
        rows, columns = np.where(erased[0, 0])
        assert erased[0, 0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
        assert 0.04 < erased[0, 0].mean() < 0.21


def test_erasing_per_frame_draws_for_each_frame():
    random.seed(0)
    erased = make("RandomErasing", prob=1, per_frame=True)(np.ones((6, 64, 44))) == 0
    assert len({frame.tobytes() for frame in erased}) == 6


def test_dilation_changes_only_the_rows_in_its_range():
    frames = np.zeros((2, 64, 44))
    frames[:, ::8, 20] = 1
    for seed in range(20):
        random.seed(seed)
        result = make("RandomPartDilate", prob=1)(frames)
        changed = np.where((result != frames).any(axis=(0, 2)))[0]
        assert changed.min() >= 12 and changed.max() < 40
        assert np.all(result >= frames) and result[:, 24, 19:22].all()


def test_blurring_an_outline_by_hand():
    frame = np.zeros((1, 64, 44))
    frame[0, 24, 20] = 1
    result = make("RandomPartBlur", prob=1, top_range=(20, 20), bot_range=(30, 30))(frame)
    # (1/4, 1/2, 1/4) twice leaves 1/4 at the point, 1/8 beside it: only the point passes 0.2.
    np.testing.assert_array_equal(result, frame)
    frame[0, 24, 20:23] = 1
    result = make("RandomPartBlur", prob=1, top_range=(20, 20), bot_range=(30, 30))(frame)
    # Above and below the bar's middle: 1/4 (1/4 + 1/2 + 1/4) = 1/4; at its ends 3/16 does not pass.
    expected = frame.copy()
    expected[0, 23:26, 21] = 1
    np.testing.assert_array_equal(result, expected)
    per_frame = make("RandomPartBlur", prob=1, per_frame=True)(np.repeat(frame, 3, axis=0))
    assert per_frame.shape == (3, 64, 44)


def test_flip_mirrors_the_last_axis_with_probability_half():
    frames = np.arange(6).reshape(1, 2, 3)
    random.seed(0)
    flips = [np.array_equal(make("RandomHorizontalFlip")(frames), frames[..., ::-1]) for _ in range(2000)]
    assert abs(np.mean(flips) - 0.5) < 4 * np.sqrt(0.25 / 2000)


def test_resolution_of_names_and_lists():
    assert get_transform(None)(3) == 3
    resolved = get_transform([{"type": "BaseSilTransform"}, [{"type": "NoOperation"}, None]])
    assert [type(part).__name__ for part in resolved] == ["BaseSilTransform", "list"]
    assert [type(part).__name__ for part in resolved[1]] == ["NoOperation", "NoOperation"]
    assert make("BaseSilCuttingTransform", img_w=64).cutting is None
    with pytest.raises(ConfigError, match="no `type`"):
        get_transform({"prob": 1})
    with pytest.raises(ConfigError, match="did you mean BaseSilTransform"):
        make("BaseSilTransfrom")
    with pytest.raises(DataError, match=r"'t h w c -> t c h w' does not fit frames \[7, 2\]; check the order"):
        make("Rearrange", source="t h w c", destination="t c h w")(np.zeros((7, 2)))
    with pytest.raises(ConfigError, match="Rearrange cannot be built"):
        make("Rearrange", source="t h")
    with pytest.raises(ConfigError, match="expected a mapping"):
        get_transform("BaseSilTransform")


def test_compose_applies_in_order_and_passes_info(temporarily):
    class AddLabel:
        needs_info = True

        def __call__(self, frames, info):
            return frames + info[0]

    temporarily(registry.transforms, AddLabel)
    composed = make("Compose", trf_cfg=[{"type": "BaseSilTransform", "divsor": 2}, {"type": "AddLabel"}, None])
    assert composed.needs_info and composed(np.array([4.0]), [10]) == [12.0]
    assert not make("Compose", trf_cfg=[None]).needs_info
    for invalid in ("x", [[{"type": "NoOperation"}]]):
        with pytest.raises(ConfigError, match="flat list"):
            make("Compose", trf_cfg=invalid)


def test_gaitssb_augmentation_has_six_steps():
    augment = make("DA4GaitSSB", cutting=10, ra_prob=1, rp_prob=1, rhf_prob=1, rpd_prob=1, rpb_prob=1)
    names = [type(part).__name__ for part in augment.transforms]
    assert names == [
        "RandomAffine",
        "RandomPerspective",
        "BaseSilCuttingTransform",
        "RandomHorizontalFlip",
        "RandomPartDilate",
        "RandomPartBlur",
    ]
    random.seed(0)
    frames = (seeded.uniform("ssb", [2, 64, 64]) > 0.5).astype(np.uint8) * 255
    result = augment(frames)
    assert result.shape == (2, 64, 44) and result.min() >= 0 and result.max() <= 1
