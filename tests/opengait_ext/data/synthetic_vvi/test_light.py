"""Daylight, near infrared and thermal infrared: what carries over, what does not, and how the light behaves."""

import os
import platform
import subprocess
import sys
from functools import lru_cache
from itertools import islice

import cv2
import numpy as np
import pytest

from opengait_ext.data.synthetic_vvi import SyntheticConfig
from opengait_ext.data.synthetic_vvi.lights import Daylight, Lamp
from opengait_ext.data.synthetic_vvi.reflectance import HAIR, SKIN
from opengait_ext.data.synthetic_vvi.scene import camera
from opengait_ext.data.synthetic_vvi.settings import INFRARED, VISIBLE
from opengait_ext.data.synthetic_vvi.shapes import Paint
from opengait_ext.data.synthetic_vvi.tracklet import TrackletKey, render
from opengait_ext.data.synthetic_vvi.walls import draw_layout, near_values
from opengait_ext.data.synthetic_vvi.wardrobe import LUMA, Wardrobe, draw_wardrobe, pattern_mask, thermal_palette
from tests.paths import ROOT

CLOTH = (Paint.UPPER, Paint.LOWER, Paint.SHOES, Paint.BAG, Paint.HEADGEAR, Paint.PATTERN)
SIZE = (128, 64)
CAMERAS = range(1, 13)


@lru_cache
def wardrobes(link: float, count: int = 400) -> list[Wardrobe]:
    return [draw_wardrobe(np.random.default_rng([7, 1, pid]), link) for pid in range(count)]


def luma(wardrobe: Wardrobe) -> np.ndarray:
    """Return the brightness of the paints in visible light, (paints,)."""
    return wardrobe.colours[:, ::-1] @ LUMA


def correlation(link: float, paint: Paint) -> float:
    """Return the correlation of a paint's brightness in visible light with its reflectance at 850 nm."""
    people = wardrobes(link)
    return float(np.corrcoef([luma(person)[paint] for person in people], [p.reflectance[paint] for p in people])[0, 1])


@pytest.mark.parametrize("paint", [*CLOTH, Paint.HAIR])
def test_the_link_sets_how_far_brightness_carries_over(paint: Paint) -> None:
    assert abs(correlation(0.0, paint)) < 0.15
    assert 0.25 < correlation(0.5, paint) < 0.65
    assert correlation(1.0, paint) > 0.75


def test_the_link_changes_no_colour() -> None:
    for apart, joined in zip(wardrobes(0.0, 50), wardrobes(1.0, 50), strict=True):
        assert np.array_equal(apart.colours, joined.colours)
        assert (apart.pattern, apart.pattern_size, apart.folds) == (joined.pattern, joined.pattern_size, joined.folds)
        assert apart.materials == joined.materials


def test_the_distribution_of_reflectances_does_not_depend_on_the_link() -> None:
    levels = [np.sort([person.reflectance[Paint.UPPER] for person in wardrobes(link)]) for link in (0.0, 1.0)]
    assert np.abs(levels[0] - levels[1]).mean() < 0.03


def test_woven_patterns_carry_over_by_the_link_and_prints_vanish() -> None:
    for link in (0.0, 1.0):
        people = wardrobes(link)
        woven = [person for person in people if person.pattern not in ("plain", "print")]
        same = np.mean([person.near_pattern == person.pattern for person in woven])
        assert same == 1.0 if link else same < 0.25
        assert all(person.near_pattern != "print" for person in people)
    assert all(person.near_pattern == "plain" for person in wardrobes(1.0) if person.pattern == "print")


def test_skin_is_bright_in_near_infrared_whatever_its_tone() -> None:
    people = wardrobes(1.0)
    skin = np.array([person.reflectance[Paint.SKIN] for person in people])
    assert SKIN[0] <= skin.min() and skin.max() <= SKIN[1]
    assert abs(np.corrcoef([luma(person)[Paint.SKIN] for person in people], skin)[0, 1]) < 0.1
    hair = np.array([person.reflectance[Paint.HAIR] for person in people])
    assert hair.min() >= HAIR[0] and (hair < skin).all()


def test_dyed_cloth_is_mostly_bright_and_some_black_cloth_stays_black() -> None:
    people = wardrobes(0.5)
    black = np.array([p.reflectance[paint] for p in people for paint in CLOTH if luma(p)[paint] < 50])
    assert np.mean(black > 0.35) > 0.3
    assert np.mean(black < 0.15) > 0.15


def test_eyes_and_strips_shine_in_near_infrared_alone() -> None:
    for person in wardrobes(0.5, 40):
        near = Lamp(camera(0, 1, SIZE).near, np.random.default_rng(0)).palette(person)[:, 0]
        assert near[Paint.EYE] > 1.5 * near[Paint.FACE]
        assert near[Paint.STRIP] > near[list(CLOTH)].max()
        assert luma(person)[Paint.EYE] < 0.5 * luma(person)[Paint.FACE]


def test_thermal_palettes_keep_skin_warm_and_cloth_independent_of_colour() -> None:
    rng = np.random.default_rng(0)
    people = wardrobes(1.0)
    heat = np.array([thermal_palette(person, rng)[:, 0] for person in people]).astype(float)
    assert heat[:, Paint.SKIN].min() > 200 and (heat[:, Paint.FACE] > heat[:, Paint.SKIN]).all()
    assert np.array_equal(heat[:, Paint.PATTERN], heat[:, Paint.UPPER])
    assert (heat[:, Paint.HAIR] < heat[:, Paint.SKIN]).all()
    for paint in (Paint.UPPER, Paint.LOWER, Paint.SHOES):
        assert abs(np.corrcoef([luma(person)[paint] for person in people], heat[:, paint])[0, 1]) < 0.15


def test_thermal_frames_ignore_the_link() -> None:
    key = TrackletKey(501, INFRARED, 1, 1)
    frames = [next(render(SyntheticConfig(infrared="thermal", appearance_link=link), key))[0] for link in (0.0, 1.0)]
    assert np.array_equal(*frames)


def test_patterns_by_hand() -> None:
    assert pattern_mask("plain", 0.1, 40, 20, 100.0) is None
    stripes = pattern_mask("stripes", 0.1, 40, 20, 100.0)
    assert (stripes == stripes[:, :1]).all() and stripes[20, 0] and not stripes[15, 0] and stripes[10, 0]
    block = pattern_mask("block", 0.1, 100, 20, 100.0)
    assert block[:30].all() and not block[30:].any()
    assert (pattern_mask("checks", 0.1, 40, 40, 100.0)).mean() == pytest.approx(0.5, abs=0.01)


def test_the_lamps_light_falls_off_with_distance() -> None:
    """The same wall is darker far behind the path, and ground near the feet is lit as people are."""
    dark = {}
    for seed in range(40):
        layout = draw_layout(np.random.default_rng(seed), 60, 120, 0.5)
        values = near_values(np.random.default_rng(seed), layout)[..., 0]
        assert (np.diff(values[2, layout.horizon :]) >= 0).all()
        dark[seed] = values[2, layout.horizon] / values[2, -1]
    shares = np.array(list(dark.values()))
    assert shares.min() < 0.3 and shares.max() > 0.8
    lamp = Lamp(camera(0, 1, SIZE).near, np.random.default_rng(0))
    assert lamp.nearness(np.array([5.0, 10.0, 20.0])) == pytest.approx([4.0, 1.0, 0.25])


def test_the_lamp_has_one_hot_spot_in_each_camera() -> None:
    for number in CAMERAS:
        along = camera(0, number, SIZE).near.along
        falling = np.roll(along, -int(along.argmax()))
        half = len(along) // 2
        assert (np.diff(falling[:half]) <= 0).all() and (np.diff(falling[half + 1 :]) >= 0).all()
        assert along.max() == pytest.approx(1.15, abs=0.01) and along.min() < 0.85


def test_daylight_differs_between_tracklets() -> None:
    sensor = camera(0, 1, SIZE).visible
    grey = np.array([Daylight(sensor, np.random.default_rng(i), SIZE, 120.0).tone[128, 0] for i in range(60)], float)
    assert grey.mean(axis=1).std() > 10  # exposure
    assert (grey[:, 0] / grey[:, 2]).std() > 0.08  # white balance


def test_a_shadow_lies_on_the_ground_on_one_side() -> None:
    light = Daylight(camera(0, 1, SIZE).visible, np.random.default_rng(1), SIZE, 120.0)
    alpha = np.zeros(SIZE, dtype=np.uint8)
    alpha[10:121, 28:36] = 255
    lit = light.behind(np.full((*SIZE, 3), 200, np.float32), alpha, cv2.GaussianBlur(alpha, (0, 0), 3))[..., 0]
    assert (lit[:90] == 200).all()
    strip = lit[105:115] < 199
    assert strip.any() and strip[:, :28].any() != strip[:, 36:].any()


def frames_and_silhouettes(config: SyntheticConfig, number: int, pids: range) -> list[tuple[np.ndarray, np.ndarray]]:
    return [next(islice(render(config, TrackletKey(pid, INFRARED, number, 1)), 3, 4))[:2] for pid in pids]


@pytest.fixture(scope="module")
def night() -> dict[int, list[tuple[np.ndarray, np.ndarray]]]:
    """Return one near-infrared frame of eight people by camera."""
    config = SyntheticConfig(cameras=len(CAMERAS), occlusion=0.0, motion_blur=0.0, crowd=0.0)
    return {number: frames_and_silhouettes(config, number, range(501, 509)) for number in CAMERAS}


def test_near_infrared_saturates_here_and_there(night) -> None:
    shares = np.array([np.mean(frame[..., 0][mask > 0] >= 254) for pairs in night.values() for frame, mask in pairs])
    assert shares.mean() < 0.06 and np.quantile(shares, 0.9) < 0.25
    assert shares.max() > 0.0


def best_threshold(frame: np.ndarray, mask: np.ndarray) -> float:
    """Return the largest IoU that any threshold, in either direction, reaches against the true silhouette."""
    inside, outside = (np.bincount(frame[mask == v], minlength=256) for v in (255, 0))
    best = 0.0
    for a, b in ((inside, outside), (inside[::-1], outside[::-1])):
        hits, wrong = np.cumsum(a[::-1]), np.cumsum(b[::-1])
        best = max(best, float((hits / (a.sum() + wrong)).max()))
    return best


def test_no_threshold_separates_people_from_the_background(night) -> None:
    quality = {n: np.mean([best_threshold(f[..., 0], m) for f, m in pairs]) for n, pairs in night.items()}
    assert np.mean([value < 0.75 for value in quality.values()]) > 0.7
    assert np.median(list(quality.values())) < 0.70


def test_the_same_link_gives_the_same_bytes_again_and_another_one_other_infrared() -> None:
    for modality, changes in ((VISIBLE, False), (INFRARED, True)):
        key = TrackletKey(502, modality, 2, 1)
        frames = [next(render(SyntheticConfig(appearance_link=link), key))[0] for link in (0.0, 0.0, 1.0)]
        assert np.array_equal(frames[0], frames[1])
        assert np.array_equal(frames[0], frames[2]) != changes


DIGEST = """
import hashlib
from opengait_ext.data.synthetic_vvi import SyntheticConfig
from opengait_ext.data.synthetic_vvi.tracklet import TrackletKey, render
digest = hashlib.sha256()
for infrared in ("near", "thermal"):
    config = SyntheticConfig(infrared=infrared, occlusion=0.5, crowd=0.5, motion_blur=0.5)
    for pid in (1, 2):
        for modality in (1, 2):
            for number in (1, 2):
                for drawn in render(config, TrackletKey(pid, modality, number, 1)):
                    for array in drawn:
                        digest.update(array.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names features of x86 processors")
def test_bytes_do_not_depend_on_the_processor() -> None:
    """Fused and wide instructions round differently; nothing drawn may depend on them."""
    older = {"OPENCV_CPU_DISABLE": "AVX2,AVX512_SKX", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX"}
    digests = [
        subprocess.run(
            [sys.executable, "-c", DIGEST], env=os.environ | disabled, cwd=ROOT, check=True, capture_output=True
        ).stdout
        for disabled in ({}, older)
    ]
    assert len(digests[0]) > 64 and digests[0] == digests[1]
