"""What the checks of datasets say about pixels: modes, values, sizes and orientation."""

import numpy as np
import pytest
from PIL import Image

from opengait_ext.data.check_data import check_dataset
from tests.golden.vvi import mini_hitsz


@pytest.fixture
def tree(tmp_path):
    return mini_hitsz.write(tmp_path / "hitsz")


def with_infrared(root, change):
    """Check a dataset whose infrared frames were written again by `change(file, grey pixels)`."""
    for path in root.glob("T*/*/ir/*/*.jpg"):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        change(path, pixels)
    return check_dataset("hitsz", root)[0]


def test_modes_and_values_are_reported_by_modality(tree):
    def counts(path, pixels):
        noisy = pixels + np.arange(pixels.size).reshape(pixels.shape) % 7
        Image.fromarray((7000 + noisy.astype(np.uint16) * 20).astype(np.uint16)).save(path, "PNG")

    report = with_infrared(tree, counts)
    assert not report.problems
    assert list(report.pixels["visible"]) == ["RGB"] and list(report.pixels["infrared"]) == ["I;16, 16 bits"]
    text = report.text()
    assert "infrared pixels: I;16, 16 bits (758, values 7160 to " in text
    assert "99.9th percentile" in text and "single value" not in text
    assert report.as_json()["pixels"]["infrared"]["I;16, 16 bits"]["frames"] == 758


@pytest.mark.parametrize("value", [0, 255])
def test_frames_of_one_value_are_counted_and_listed(tree, value):
    report = with_infrared(tree, lambda path, pixels: Image.fromarray(pixels * 0 + value).save(path, "PNG"))
    assert "758 infrared frames hold one single value" in report.text()
    assert f"infrared pixels: L (758, values {value} to {value})" in report.text()
    assert len(report.as_json()["pixels"]["infrared"]["L"]["single_valued"]) == 758


def test_a_tracklet_of_8_and_16_bits_is_a_problem(tree):
    def mixed(path, pixels):
        deep = path.stem == "1"
        Image.fromarray(pixels.astype(np.uint16) * 256 if deep else pixels).save(path, "PNG")

    report = with_infrared(tree, mixed)
    assert {problem.kind for problem in report.problems} == {"tracklet of frames with 8 bits and with more"}
    assert "I;16, 16 bits: Train/0001/ir/D2/1.jpg" in str(report.problems[0])


def test_animations_are_remarked(tree):
    path = next(tree.glob("Train/*/rgb/*/1.jpg"))
    with Image.open(path) as image:
        pictures = [image.convert("RGB"), Image.new("RGB", image.size, "orange")]
    pictures[0].save(path, "WEBP", save_all=True, append_images=pictures[1:])
    assert "1 files hold several pictures" in check_dataset("hitsz", tree)[0].text()


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("side", [20000, 32767])
def test_the_checker_refuses_the_sizes_that_the_reader_refuses(tree, fast, side):
    path = next(tree.glob("Train/*/rgb/*/1.jpg"))
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = side.to_bytes(2, "big") * 2
    path.write_bytes(data)
    report = check_dataset("hitsz", tree, fast=fast)[0]
    problems = [problem for problem in report.problems if problem.kind == "unreadable frame"]
    assert len(problems) == 1 and f"{side} x {side}" in problems[0].what


@pytest.mark.parametrize("fast", [False, True])
def test_a_tail_of_zeros_is_truncated(tree, fast):
    path = next(tree.glob("Train/*/rgb/*/1.jpg"))
    data = path.read_bytes()
    path.write_bytes(data[:-100] + bytes(100))
    assert [problem.kind for problem in check_dataset("hitsz", tree, fast=fast)[0].problems] == ["truncated frame"]


@pytest.mark.parametrize("fast", [False, True])
def test_sizes_are_those_of_upright_frames(tree, fast):
    tags = Image.Exif()
    tags[0x0112] = 6
    for path in tree.glob("T*/*/*/*/*.jpg"):
        with Image.open(path) as image:
            turned = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        turned.save(path, "JPEG", exif=tags)
    report = check_dataset("hitsz", tree, fast=fast)[0]
    assert list(report.sizes) == [(32, 16)] and not report.problems
