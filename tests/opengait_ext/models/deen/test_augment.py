"""DEEN's augmentation against its steps, written out pixel by pixel, and its draws against their distributions."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from opengait.data.deferred import DeferrableTransform
from opengait.errors import ConfigError
from opengait_ext.data.augment import Normalise
from opengait_ext.models.deen.augment import GreyAugmentation, make_grey

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures(frames: int = 2, height: int = 24, width: int = 12, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (frames, 3, height, width), generator=generator, dtype=torch.uint8)


def pillow_grey(x: Tensor) -> Tensor:
    frames = [Image.fromarray(frame.permute(1, 2, 0).numpy()).convert("L") for frame in x]
    return torch.stack([torch.from_numpy(np.array(frame)).expand(3, -1, -1) for frame in frames])


def slow(x: Tensor, shift: list[int], mirrored: bool, rectangle: list[int]) -> Tensor:
    """Pad and crop, mirror, normalise and erase, pixel by pixel."""
    frames, _, height, width = x.shape
    out = torch.zeros(x.shape, dtype=torch.float64)
    top, left, rows, columns = rectangle
    for f in range(frames):
        for c in range(3):
            for i in range(height):
                for j in range(width):
                    row, column = i - shift[0], (width - 1 - j if mirrored else j) - shift[1]
                    byte = float(x[f, c, row, column]) if 0 <= row < height and 0 <= column < width else 0.0
                    erased = top <= i < top + rows and left <= j < left + columns
                    out[f, c, i, j] = MEAN[c] if erased else (byte / 255 - MEAN[c]) / STD[c]
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_every_step(grey, seed):
    transform = GreyAugmentation(pad=3, erasing=1.0, grey=grey)
    x = pictures()
    torch.manual_seed(seed)
    result = transform(x)
    torch.manual_seed(seed)
    (shift,), (mirrored,) = transform.crop.draw(2), transform.flip.draw(2).tolist()
    rectangle = transform.erasing.draw(2, 24, 12)[0].tolist()
    expected = slow(pillow_grey(x) if grey else x, shift, mirrored, rectangle)
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-6)


def test_grey_is_pillows_and_leaves_grey_frames_unchanged():
    x = pictures(8, 64, 64)
    assert torch.equal(make_grey(x), pillow_grey(x))
    same = x[:, :1].expand(-1, 3, -1, -1)
    assert torch.equal(make_grey(same), same)


def test_half_of_the_tracklets_are_grey_whole():
    transform, greys = GreyAugmentation(pad=0, flip=0, erasing=0), 0
    for _ in range(600):
        frames = transform.begin(pictures(3))[0]
        flags = (frames[:, 0] == frames[:, 2]).flatten(1).all(1)
        assert flags.all() or not flags.any()
        greys += bool(flags.all())
    assert 235 < greys < 365


@pytest.mark.parametrize("area", [(0.02, 0.4), (0.2, 0.8)])
def test_rectangles_are_those_of_the_recipe(area):
    """Half of the tracklets; shares and ratios uniform, where a rectangle fits."""
    transform = GreyAugmentation(area=area)
    drawn = torch.cat([transform.erasing.draw(1, 384, 144) for _ in range(1500)]).double()
    hit = drawn[drawn[:, 2] > 0]
    assert len(hit) / len(drawn) == pytest.approx(0.5, abs=0.05)
    share, ratio = hit[:, 2] * hit[:, 3] / (384 * 144), hit[:, 2] / hit[:, 3]
    assert area[0] - 0.002 < share.min() < area[0] + 0.03 and share.max() < area[1] + 0.002
    assert ratio.min() > 0.28 and ratio.max() < 3.5
    if area[0] < 0.1:
        # Rectangles of little of the frame fit at any ratio.
        small = ratio[share < 0.1]
        assert float(small.mean()) == pytest.approx((0.3 + 1 / 0.3) / 2, abs=0.25)
    assert math.isclose(transform.erasing.prob, 0.5)


def test_without_chance_it_is_the_tests_transform():
    plain = GreyAugmentation(pad=0, flip=0, erasing=0, grey=0)
    assert torch.equal(plain(pictures()), Normalise()(pictures()))
    assert isinstance(plain, DeferrableTransform)


def test_masks_move_with_the_frames():
    x = pictures()
    for seed in range(10):
        torch.manual_seed(seed)
        frames, masks, drawn = GreyAugmentation(grey=0).begin(x, None, x[:, :1])
        assert torch.equal(masks, frames[:, :1]) and drawn.shape == (2, 4)


def test_bad_settings_are_one_sentence():
    with pytest.raises(ConfigError, match=r"GreyAugmentation\.area: .*\(0\.4, 0\.02\)"):
        GreyAugmentation(area=(0.4, 0.02))
    with pytest.raises(ConfigError, match=r"GreyAugmentation\.pad: .*24 x 12, got 24"):
        GreyAugmentation(pad=24)(pictures())
