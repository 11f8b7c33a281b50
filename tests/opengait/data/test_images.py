"""Pictures as cameras write them: orientation, modes, sizes, and damage that Pillow does not notice."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from opengait.data.frames import ImageFrames
from opengait.data.images import MOST_PIXELS
from opengait.errors import DataError

SIDEWAYS = {n: Image.Transpose(t) for n, t in {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.items()}


def noise(height=24, width=16, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(folder, data: bytes, size=(24, 16), **options) -> np.ndarray:
    path = folder / "frame.png"
    path.write_bytes(data)
    return ImageFrames([path], size, **options)[[0]][0].transpose(1, 2, 0)


@pytest.mark.parametrize("orientation", SIDEWAYS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG", "TIFF"])
def test_pictures_are_turned_upright_as_viewers_do(tmp_path, kind, orientation):
    upright = Image.fromarray(noise())
    tags = Image.Exif()
    tags[0x0112] = orientation
    turned = upright.transpose(SIDEWAYS[orientation])
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    stored = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": tags}
    actual = read(tmp_path, encoded(turned, kind, **stored, **options)).astype(int)
    assert np.abs(actual - noise()).max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("block", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", b"\0" * 9])
def test_a_damaged_exif_block_is_ignored(tmp_path, kind, block):
    options = {"lossless": True} if kind == "WEBP" else {}
    read(tmp_path, encoded(Image.fromarray(noise()), kind, exif=block, **options))


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_an_orientation_outside_1_to_8_is_ignored(tmp_path, value):
    tags = Image.Exif()
    tags[0x0112] = value
    assert np.array_equal(read(tmp_path, encoded(Image.fromarray(noise()), "PNG", exif=tags)), noise())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "BMP"])
def test_modes_of_8_bits_are_read_as_pillow_converts_them(tmp_path, mode, kind):
    try:
        data = encoded(Image.fromarray(noise()).convert(mode), kind)
    except (OSError, ValueError):
        pytest.skip("the format has no such mode")
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(read(tmp_path, data), expected)


def test_a_frame_is_the_first_picture_of_an_animation(tmp_path):
    pictures = [Image.fromarray(noise(seed=seed)) for seed in range(3)]
    for kind, options in {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.items():
        data = encoded(pictures[0], kind, save_all=True, append_images=pictures[1:], **options)
        assert np.array_equal(read(tmp_path, data), noise())


def jpeg_of_size(height: int, width: int) -> bytes:
    data = bytearray(encoded(Image.fromarray(noise()), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def png_of_size(height: int, width: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = encoded(Image.fromarray(noise()), "PNG")
    return data[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(20000, 20000), (32767, 32767), (65500, 65500), (8192, 8193)], ids=str)
@pytest.mark.parametrize("make", [jpeg_of_size, png_of_size])
def test_huge_pictures_are_refused_before_decoding(tmp_path, make, size):
    assert size[0] * size[1] > MOST_PIXELS
    with pytest.raises(DataError, match=r"frame\.png: .*(pixels are more than|exceeds limit)"):
        read(tmp_path, make(*size))
    with pytest.raises(DataError, match=r"frame\.png"):
        read(tmp_path, make(*size), reduced=True)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
@pytest.mark.parametrize("tail", ["cut", "zeros", "ones"])
def test_a_jpeg_without_its_end_is_refused(tmp_path, kept, options, tail):
    data = encoded(Image.fromarray(noise(128, 64)), "JPEG", **options)
    kept = int(kept * len(data))
    rest = {"cut": b"", "zeros": bytes(len(data) - kept), "ones": b"\xff" * (len(data) - kept)}[tail]
    with pytest.raises(DataError, match=r"frame\.png: .*truncated"):
        read(tmp_path, data[:kept] + rest)


def test_a_jpeg_of_endless_scans_is_refused(tmp_path):
    data = encoded(Image.fromarray(noise(128, 64)), "JPEG", progressive=True)
    scan = data[data.rfind(b"\xff\xda") : -2]
    with pytest.raises(DataError, match="100 scans"):
        read(tmp_path, data[:-2] + scan * 200 + b"\xff\xd9")


def test_a_program_is_not_run_as_a_picture(tmp_path):
    with pytest.raises(DataError, match=r"frame\.png: it is a PostScript file"):
        read(tmp_path, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n")


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "device"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "frame.jpg"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name if kind == "loop" else "/dev/zero")
    with pytest.raises(DataError, match=r"Cannot read the frame .*frame\.jpg: .+\.$"):
        ImageFrames([path], (8, 4))[[0]]
