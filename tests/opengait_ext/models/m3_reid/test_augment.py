"""M3-ReID's augmentation against its steps, written out frame by frame, and its draws against their distributions."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from opengait.errors import ConfigError
from opengait_ext.models.m3_reid.augment import StyleAugmentation, make_grey

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VISIBLE, INFRARED = ["7", "visible", "c1-t1"], ["7", "infrared", "c1-t1"]


def pictures(frames: int = 3, height: int = 24, width: int = 12, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (frames, 3, height, width), generator=generator, dtype=torch.uint8)


def slow(x: Tensor, shift: tuple[int, int], mirrored: bool, rectangle: list[int], factors: list[float]) -> Tensor:
    """Pad and crop, mirror, normalise, erase with zeros and scale, pixel by pixel."""
    frames, _, height, width = x.shape
    out = torch.zeros(x.shape, dtype=torch.float64)
    top, left, rows, columns = rectangle
    for f in range(frames):
        for c in range(3):
            for i in range(height):
                for j in range(width):
                    row, column = i - shift[0], (width - 1 - j if mirrored else j) - shift[1]
                    inside = 0 <= row < height and 0 <= column < width
                    byte = float(x[f, c, row, column]) if inside else 0.0
                    erased = top <= i < top + rows and left <= j < left + columns
                    out[f, c, i, j] = 0 if erased else (byte / 255 - MEAN[c]) / STD[c] * factors[c]
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("info", [VISIBLE, INFRARED], ids=["visible", "infrared"])
def test_every_step(info, seed):
    transform = StyleAugmentation(pad=3, erasing=1.0, grey=0.0)
    x = pictures(2)
    torch.manual_seed(seed)
    result = transform(x, info)
    torch.manual_seed(seed)
    (shift,), (mirrored,) = transform.crop.draw(2), transform.flip.draw(2).tolist()
    torch.manual_seed(seed)
    drawn = transform.begin(x, info)[2]
    expected = slow(x, tuple(shift), mirrored, drawn[0, :4].int().tolist(), drawn[0, 4:].tolist())
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("info", [VISIBLE, INFRARED], ids=["visible", "infrared"])
def test_all_frames_of_a_tracklet_are_treated_alike(info):
    x = pictures(1).expand(4, -1, -1, -1)
    for seed in range(20):
        torch.manual_seed(seed)
        result = StyleAugmentation()(x, info)
        assert all(torch.equal(frame, result[0]) for frame in result)


def test_style_is_one_factor_in_infrared_and_one_for_each_channel_in_visible_frames():
    factors = {"visible": [], "infrared": []}
    for info in (VISIBLE, INFRARED) * 200:
        factors[info[1]].append(StyleAugmentation().begin(pictures(2), info)[2][:, 4:])
    assert all(len(drawn.unique()) == 1 for drawn in factors["infrared"])
    assert all(len(drawn[0].unique()) == 3 and torch.equal(drawn[0], drawn[1]) for drawn in factors["visible"])
    for drawn in map(torch.cat, factors.values()):
        assert 0.5 <= drawn.min() < 0.53 and 1.47 < drawn.max() <= 1.5
        assert float(drawn.mean()) == pytest.approx(1.0, abs=0.07)


def test_grey_is_a_convex_combination_cut_to_whole_levels():
    x = pictures()
    weights = torch.tensor([0.2, 0.7, 0.1], dtype=torch.float64)
    grey = make_grey(x, 3 * weights)
    assert grey.dtype is torch.uint8 and grey.shape == x.shape
    for f, i, j in ((0, 0, 0), (1, 5, 7), (2, 23, 11)):
        red, green, blue = x[f, :, i, j].tolist()
        level = math.floor(0.2 * red + 0.7 * green + 0.1 * blue + 1e-9)
        assert grey[f, :, i, j].tolist() == [level] * 3
    assert torch.equal(make_grey(np.asarray(x), 3 * weights), grey)


def test_grey_acts_on_half_of_the_visible_tracklets_and_on_no_infrared_one():
    transform = StyleAugmentation(pad=0, flip=0, erasing=0)
    greys = {"visible": 0, "infrared": 0}
    for info in (VISIBLE, INFRARED) * 300:
        moved = transform.begin(pictures(1), info)[0]
        greys[info[1]] += bool((moved[:, 0] == moved[:, 1]).all())
    assert 115 < greys["visible"] < 185 and greys["infrared"] == 0


def test_rectangles_are_torchvisions():
    """Half of the tracklets; shares uniform from 0.02 to 0.33; logarithms of the ratio uniform from 0.3 to 3.3."""
    transform = StyleAugmentation()
    drawn = torch.cat([transform.erasing.draw(1, 288, 144) for _ in range(2000)]).double()
    hit = drawn[drawn[:, 2] > 0]
    assert len(hit) / len(drawn) == pytest.approx(0.5, abs=0.04)
    share, ratio = hit[:, 2] * hit[:, 3] / (288 * 144), hit[:, 2] / hit[:, 3]
    assert share.min() > 0.019 and share.max() < 0.34
    assert ratio.min() > 0.28 and ratio.max() < 3.4
    # Wide rectangles of much of the frame do not fit, so only small ones have the whole range of ratios.
    logarithm = ratio[share < 0.1].log()
    assert float(logarithm.mean()) == pytest.approx((math.log(0.3) + math.log(3.3)) / 2, abs=0.09)
    assert (hit[:, 0] + hit[:, 2] <= 288).all() and (hit[:, 1] + hit[:, 3] <= 144).all()


def test_without_chance_it_is_the_tests_transform():
    from opengait_ext.data.augment import Normalise

    plain = StyleAugmentation(pad=0, flip=0, erasing=0, grey=0, style=(1.0, 1.0))
    for info in (VISIBLE, INFRARED):
        assert torch.equal(plain(pictures(), info), Normalise()(pictures()))


def test_masks_move_with_the_frames():
    x = pictures()
    for seed in range(10):
        torch.manual_seed(seed)
        frames, masks, _ = StyleAugmentation(grey=0).begin(x, VISIBLE, x[:, :1])
        assert torch.equal(masks, frames[:, :1])


def test_bad_settings_are_one_sentence():
    with pytest.raises(ConfigError, match=r"StyleAugmentation\.style: .*\(1\.5, 0\.5\)"):
        StyleAugmentation(style=(1.5, 0.5))
    with pytest.raises(ConfigError, match=r"StyleAugmentation\.pad: .*24 x 12, got 24"):
        StyleAugmentation(pad=24)(pictures(), VISIBLE)
