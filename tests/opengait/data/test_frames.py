"""Frame sources: the restricted pickle reader and images."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from opengait.data import frames as frames_module
from opengait.data import images as images_module
from opengait.data.frames import ImageFrames, PickledFrames
from opengait.data.safe_pickle import load_pickle
from opengait.errors import DataError


def write(path: Path, value, protocol: int = pickle.HIGHEST_PROTOCOL) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


def assert_same(actual, expected) -> None:
    assert type(actual) is type(expected)
    if isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype and actual.shape == expected.shape
        if expected.dtype.hasobject:
            for one, other in zip(actual.flat, expected.flat, strict=True):
                assert_same(one, other)
        else:
            assert np.array_equal(actual, expected)
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same(actual[key], expected[key])
    else:
        assert actual == expected


def ragged() -> np.ndarray:
    array = np.empty(2, dtype=object)
    array[0], array[1] = np.arange(3.0), np.arange(8).reshape(2, 4)
    return array


VALUES = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.asfortranarray(np.arange(24.0).reshape(4, 6)),
    np.arange(24, dtype=">i4").reshape(2, 3, 4).transpose(2, 0, 1),
    np.array([True, False]),
    np.array(["one", "three"]),
    np.array([b"ab", b""]),
    np.zeros((0, 64, 64), dtype=np.float32),
    np.float32(0.25),
    np.int64(7),
    [np.ones((2, 2), dtype=np.float16), np.zeros(3)],
    {"frames": np.arange(3), "ratio": (1, 2.5, None, True, "x", b"\x00\xff", b"")},
    ragged(),
    [{1, 2}, frozenset("ab"), bytearray(b"xy"), 1 + 2j],
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_plain_values_survive_every_protocol(tmp_path, value, protocol):
    # numpy itself swaps foreign byte orders when it reads a pickle.
    expected = pickle.loads(pickle.dumps(value, protocol=protocol))
    assert_same(load_pickle(write(tmp_path / "a.pkl", value, protocol)), expected)


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_arrays_of_numpy_1_and_2_are_read(tmp_path, core):
    text = pickle.dumps(np.arange(6).reshape(2, 3), protocol=0)
    text = text.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", core)
    (tmp_path / "a.pkl").write_bytes(text)
    assert_same(load_pickle(tmp_path / "a.pkl"), np.arange(6).reshape(2, 3))


class Shell:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Shell(), r"builtins\.print"),
        ([np.zeros(2), {"deep": Shell()}], r"builtins\.print"),
        (OrderedDict(a=1), r"collections\.OrderedDict"),
        (np.zeros(2, dtype=[("x", "f4")]), "structured|'V4'"),
        (np.ndarray, "a type or function"),
    ],
)
def test_other_types_are_rejected_by_name(tmp_path, capsys, value, named):
    path = write(tmp_path / "bad.pkl", value)
    with pytest.raises(DataError, match=named) as caught:
        load_pickle(path)
    assert str(path) in str(caught.value)
    assert capsys.readouterr().out == ""


def test_trusted_files_are_read_by_python(tmp_path, capsys):
    write(tmp_path / "old.pkl", {"frames": Shell()})
    assert load_pickle(tmp_path / "old.pkl", trusted=True) == {"frames": None}
    assert capsys.readouterr().out == "executed\n"
    tensor = write(tmp_path / "tensor.pkl", torch.arange(12).reshape(3, 2, 2))
    with pytest.raises(DataError, match=r"tensor\.pkl.*torch\._utils.*trust_pickles: true"):
        len(PickledFrames(tensor))
    assert np.array_equal(PickledFrames(tensor, trusted=True)[[2, 0]], np.arange(12).reshape(3, 2, 2)[[2, 0]])
    (tmp_path / "alien.pkl").write_bytes(b"\x80\x02cno_such_package\nThing\n.")
    with pytest.raises(DataError, match=r"alien\.pkl.*'no_such_package'"):
        load_pickle(tmp_path / "alien.pkl", trusted=True)


def test_crafted_pickles_are_rejected(tmp_path):
    attacks = {
        "codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
        "pointer": b"\x80\x02cnumpy\ndtype\nX\x01\x00\x00\x00V\x85R.",
        "large": b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(J\xff\xff\xff\x7ftU\x01btR.",
        "extension": b"\x80\x02\x82\x01.",
        "outside": b"\x80\x02K\x01Q.",
    }
    for name, content in attacks.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            load_pickle(tmp_path / name)


def test_a_pickle_cannot_change_the_reader(tmp_path):
    # This would set the defaults of the function behind the name, for all files read later.
    content = b"\x80\x02c_codecs\nencode\nN}X\x0c\x00\x00\x00__defaults__X\x01\x00\x00\x00a\x85s\x86b."
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.pkl.*'method' object has no attribute '__defaults__'"):
        load_pickle(tmp_path / "bad.pkl")


@pytest.mark.parametrize("kept", [0, 1, 20, 60])
def test_a_truncated_file_is_named(tmp_path, kept):
    path = write(tmp_path / "cut.pkl", np.arange(100))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"cut\.pkl.*truncated"):
        load_pickle(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.pkl: No such file"):
        load_pickle(tmp_path / "absent.pkl")


def test_pickled_frames_load_once_on_first_use(tmp_path):
    path = tmp_path / "frames.pkl"
    source = PickledFrames(path)
    frames = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
    write(path, frames)
    assert len(source) == 5
    path.unlink()
    picked = source[[3, 0, 3]]
    assert np.array_equal(picked, frames[[3, 0, 3]])
    picked[:] = 0
    assert np.array_equal(source[[3]], frames[[3]])


def test_pickled_lists_are_stacked_if_possible(tmp_path):
    assert PickledFrames(write(tmp_path / "a", [np.zeros((2, 2)), np.ones((2, 2))]))[[1, 0]].shape == (2, 2, 2)
    ragged_frames = PickledFrames(write(tmp_path / "b", [np.zeros((3, 3)), np.ones((2, 3))]))[[1, 0]]
    assert [frame.shape for frame in ragged_frames] == [(2, 3), (3, 3)]
    assert PickledFrames(write(tmp_path / "c", [0.5, 0.25, 1.0]))[[2, 0]].tolist() == [1.0, 0.5]


@pytest.mark.parametrize("value", [7, {"a": 1}, np.float32(1), np.array(3), "frames"])
def test_a_pickle_without_frames_is_rejected(tmp_path, value):
    with pytest.raises(DataError, match=r"a\.pkl: expected an array"):
        len(PickledFrames(write(tmp_path / "a.pkl", value)))


def image_file(path: Path, value, mode: str = "RGB", size=(6, 4)) -> Path:
    Image.new(mode, size, value).save(path)
    return path


def test_images_are_rgb_planes_in_the_requested_order(tmp_path):
    red = image_file(tmp_path / "red.png", (255, 0, 0))
    blue = image_file(tmp_path / "blue.png", (0, 0, 255))
    grey = image_file(tmp_path / "grey.png", 77, mode="L")
    frames = ImageFrames([red, blue, grey], size=(8, 5))[[2, 0, 0, 1]]
    assert frames.dtype == np.uint8 and frames.shape == (4, 3, 8, 5)
    assert frames[:, :, 3, 2].tolist() == [[77] * 3, [255, 0, 0], [255, 0, 0], [0, 0, 255]]


def test_resizing_equals_pillows_bilinear_filter(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    actual = ImageFrames([tmp_path / "a.png"], size=(7, 9))[[0]][0]
    expected = np.asarray(Image.fromarray(pixels).resize((9, 7), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.array_equal(actual, expected)
    untouched = ImageFrames([tmp_path / "a.png"], size=(12, 10))[[0]][0]
    assert np.array_equal(untouched, pixels.transpose(2, 0, 1))


def test_only_requested_frames_are_decoded_once_each(tmp_path, monkeypatch):
    paths = [image_file(tmp_path / f"{i}.png", (i, i, i)) for i in range(4)]
    (tmp_path / "2.png").unlink()
    opened = []
    real = frames_module.read_file
    monkeypatch.setattr(frames_module, "read_file", lambda path, most: opened.append(path.name) or real(path, most))
    frames = ImageFrames(paths, size=(4, 6))
    assert len(frames) == 4
    assert frames[[3, 1, 3]][:, 0, 0, 0].tolist() == [3, 1, 3]
    assert opened == ["3.png", "1.png"]


def test_broken_frames_are_named(tmp_path):
    whole = image_file(tmp_path / "whole.jpg", (9, 9, 9), size=(64, 64)).read_bytes()
    broken = {
        "missing.jpg": None,
        "empty.jpg": b"",
        "text.jpg": b"not an image",
        "cut.jpg": whole[: len(whole) // 2],
        "cut.png": image_file(tmp_path / "whole.png", (9, 9, 9), size=(64, 64)).read_bytes()[:60],
    }
    for name, content in broken.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"Cannot read the frame .*{name}"):
            ImageFrames([tmp_path / "whole.jpg", tmp_path / name], size=(4, 4))[[0, 1]]


def picture(height=53, width=37, seed=0) -> Image.Image:
    """A picture with edges, noise and saturated colours, of odd size."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)).resize((width, height))
    noise = rng.integers(-20, 21, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


JPEGS = {
    "4:2:0": (picture(), {}),
    "4:2:2": (picture(), {"subsampling": 1}),
    "4:4:4": (picture(), {"subsampling": 0, "quality": 95}),
    "coarse": (picture(), {"quality": 5}),
    "progressive": (picture(), {"progressive": True, "optimize": True}),
    "restart markers": (picture(), {"restart_marker_rows": 1}),
    "rgb": (picture(), {"keep_rgb": True}),
    "grey": (picture().convert("L"), {}),
    "cmyk": (picture().convert("CMYK"), {}),
    "turned": (picture(), {"exif": exif(6)}),
    "tiny": (picture(1, 1), {}),
}


@pytest.mark.parametrize("size", [(53, 37), (30, 20), (106, 74)], ids=["same size", "smaller", "larger"])
@pytest.mark.parametrize("kind", JPEGS)
def test_jpegs_equal_pillow_bit_for_bit(tmp_path, kind, size):
    image, options = JPEGS[kind]
    path = tmp_path / "a.jpg"
    image.save(path, "JPEG", **options)
    with Image.open(path) as opened:
        expected = ImageOps.exif_transpose(opened).convert("RGB")
    if expected.size != (size[1], size[0]):
        expected = expected.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    assert np.array_equal(ImageFrames([path], size)[[0]][0], np.asarray(expected).transpose(2, 0, 1))


def test_only_unusual_jpegs_reach_pillow(tmp_path, monkeypatch):
    decoded = []
    real = images_module.read_picture
    monkeypatch.setattr(images_module, "read_picture", lambda *rest: decoded.append(path.stem) or real(*rest))
    upright = {"upright": (picture(), {"exif": exif(1)}), "damaged exif": (picture(), {"exif": b"Exif\0\0xx"})}
    for kind, (image, options) in (JPEGS | upright).items():
        path = tmp_path / f"{kind.replace(':', '')}.jpg"
        image.save(path, "JPEG", **options)
        ImageFrames([path], (53, 37))[[0]]
    path = tmp_path / "tail.jpg"
    picture().save(path)
    with path.open("ab") as file:
        file.write(b"\n")
    ImageFrames([path], (53, 37))[[0]]
    assert decoded == ["cmyk", "turned", "tail"]


def test_a_truncated_jpeg_is_an_error(tmp_path):
    picture(128, 64).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    for kept in (2, 3, 20, 200, len(whole) // 2, len(whole) - 40):
        (tmp_path / "cut.jpg").write_bytes(whole[:kept])
        with pytest.raises(DataError, match=r"Cannot read the frame .*cut\.jpg: .+\.$"):
            ImageFrames([tmp_path / "cut.jpg"], (128, 64))[[0]]


def test_reduced_decoding_is_close_and_never_enlarges(tmp_path):
    large = picture(1, 1).resize((256, 512))
    large = Image.blend(large, picture(512, 256, seed=3).resize((256, 512)), 0.5)
    large.save(tmp_path / "a.jpg", quality=95)
    path = [tmp_path / "a.jpg"]
    full, reduced = (ImageFrames(path, (200, 100), reduced=flag)[[0]].astype(int) for flag in (False, True))
    assert 0 < abs(full - reduced).mean() < 3
    # Half of 512 x 256 is less than 300 x 150, so nothing is reduced.
    full, reduced = (ImageFrames(path, (300, 150), reduced=flag)[[0]] for flag in (False, True))
    assert np.array_equal(full, reduced)


def test_repeated_frames_and_an_empty_selection(tmp_path):
    paths = [image_file(tmp_path / f"{i}.jpg", (40 * i, 0, 0), size=(8, 16)) for i in range(3)]
    frames = ImageFrames(paths, (16, 8))
    assert np.array_equal(frames[[2, 0, 2, 2]][[0, 2, 3]], np.repeat(frames[[2]], 3, axis=0))
    assert frames[[]].shape == (0, 3, 16, 8)
