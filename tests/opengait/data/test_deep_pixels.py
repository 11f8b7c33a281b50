"""Pictures of more than 8 bits: one scale for a tracklet, from its own values."""

import cv2
import numpy as np
import pytest
from PIL import Image

from opengait.data.frames import ImageFrames
from opengait.data.packs.read import open_pack
from opengait.data.packs.write import write_pack
from opengait.errors import DataError

SHAPE = (32, 16)


def scene(frame: int) -> np.ndarray:
    """A picture that gets brighter with time, 0 to 230."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (rows * 5 + columns * 3 + frame * 5).astype(np.float64)


def counts12(values):
    return np.rint(values * 16).astype(np.uint16)


def png16(path, values):
    Image.fromarray(counts12(values)).save(path)


def big_endian(path, values):
    Image.fromarray(counts12(values).astype(">u2")).save(path, "TIFF")


def integers(path, values):
    Image.fromarray(np.rint(values * 1000).astype(np.int32)).save(path, "TIFF")


def celsius(path, values):
    Image.fromarray((values / 5 - 10).astype(np.float32)).save(path, "TIFF")


def colour_png(path, values):
    path.write_bytes(cv2.imencode(".png", np.stack([counts12(values)] * 3, -1))[1].tobytes())


def colour_tiff(path, values):
    path.write_bytes(cv2.imencode(".tiff", np.stack([counts12(values)] * 3, -1))[1].tobytes())


def colour_alpha(path, values):
    alpha = np.full(values.shape, 65535, np.uint16)
    path.write_bytes(cv2.imencode(".png", np.stack([counts12(values)] * 3 + [alpha], -1))[1].tobytes())


def portable(path, values):
    path.write_bytes(cv2.imencode(".ppm", np.stack([counts12(values)] * 3, -1))[1].tobytes())


KINDS = [png16, big_endian, integers, celsius, colour_png, colour_tiff, colour_alpha, portable]


def tracklet(folder, write, frames=12):
    paths = [folder / f"{number}.png" for number in range(frames)]
    for number, path in enumerate(paths):
        write(path, scene(number))
    return paths


@pytest.mark.parametrize("write", KINDS)
def test_every_deep_mode_gives_the_picture_that_was_measured(tmp_path, write):
    actual = ImageFrames(tracklet(tmp_path, write), SHAPE)[range(12)].astype(float)
    values = np.stack([scene(number) for number in range(12)])[:, None]
    low, high = np.percentile(values[[0, 2, 3, 5, 6, 8, 9, 11]], (0.1, 99.9))
    expected = np.clip((values - low) * 255 / (high - low), 0, 255)
    assert np.abs(actual - expected).max() <= 1.5
    assert actual.min() <= 1 and actual.max() >= 254
    assert len(np.unique(actual)) > 180


@pytest.mark.parametrize("write", [png16, colour_png, celsius])
def test_frames_of_a_tracklet_do_not_flicker(tmp_path, write):
    paths = tracklet(tmp_path, write)
    whole = ImageFrames(paths, SHAPE)[range(12)]
    assert np.all(np.diff(whole.astype(int).mean((1, 2, 3))) > 2)
    for indices in ([7], [3, 11], [0]):
        assert np.array_equal(ImageFrames(paths, SHAPE)[indices], whole[indices])
    assert np.array_equal(np.asarray(ImageFrames(paths, SHAPE).picture(5)).transpose(2, 0, 1), whole[5])


def test_a_pack_gives_the_same_pixels(tmp_path):
    (tmp_path / "data").mkdir()
    paths = tracklet(tmp_path / "data", png16)
    write_pack(tmp_path / "data", tmp_path / "pack")
    packed = [tmp_path / "pack" / path.name for path in paths]
    pack = open_pack(tmp_path / "pack")
    assert np.array_equal(ImageFrames(packed, SHAPE, pack)[[1, 9]], ImageFrames(paths, SHAPE)[[1, 9]])


def test_turned_deep_pictures_are_upright(tmp_path):
    tags = Image.Exif()
    tags[0x0112] = 6
    paths = tracklet(tmp_path, lambda path, values: Image.fromarray(np.rot90(counts12(values))).save(path, exif=tags))
    upright = tmp_path / "upright"
    upright.mkdir()
    assert np.array_equal(ImageFrames(paths, SHAPE)[[4]], ImageFrames(tracklet(upright, png16), SHAPE)[[4]])


def test_one_value_alone_is_black(tmp_path):
    Image.fromarray(np.full(SHAPE, 3000, np.uint16)).save(tmp_path / "a.png")
    assert ImageFrames([tmp_path / "a.png"], SHAPE)[[0]].max() == 0


BAD = {
    "not finite": (np.full(SHAPE, np.nan, np.float32), "mode F"),
    "infinite": (np.where(np.eye(*SHAPE), np.inf, 1).astype(np.float32), "mode F"),
    "negative": (np.full(SHAPE, -1, np.int32), "mode I"),
    "wrapped": (np.full(SHAPE, 2**32 - 1, np.uint32), "mode I"),
}


@pytest.mark.parametrize("kind", BAD)
def test_values_that_no_rule_covers_are_refused_by_file_and_mode(tmp_path, kind):
    values, mode = BAD[kind]
    Image.fromarray(values).save(tmp_path / "a.tiff")
    with pytest.raises(DataError, match=rf"a\.tiff: {mode}"):
        ImageFrames([tmp_path / "a.tiff"], SHAPE)[[0]]


def test_a_tracklet_of_8_and_16_bits_is_refused(tmp_path):
    paths = tracklet(tmp_path, png16, 3)
    Image.fromarray(scene(2).astype(np.uint8)).save(paths[2])
    with pytest.raises(DataError, match=r"2\.png has 8 bits"):
        ImageFrames(paths, SHAPE)[[0]]


def test_16_bit_colours_keep_their_order(tmp_path):
    # OpenCV writes blue, green, red.
    values = np.zeros((*SHAPE, 3), np.uint16)
    values[:16, :, 2], values[16:, :, 0] = 60000, 60000
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", values)[1].tobytes())
    frame = ImageFrames([tmp_path / "a.png"], SHAPE)[[0]][0]
    assert frame[:, 0, 0].tolist() == [255, 0, 0] and frame[:, -1, 0].tolist() == [0, 0, 255]


def test_a_cut_16_bit_picture_is_damaged(tmp_path):
    colour_png(tmp_path / "a.png", np.random.default_rng(0).uniform(0, 255, SHAPE))
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"a\.png: .*truncated"):
        ImageFrames([tmp_path / "a.png"], SHAPE)[[0]]
