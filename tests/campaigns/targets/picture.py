"""Frames as image files."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from opengait.data.frames import ImageFrames


def samples(folder: Path) -> list[Path]:
    """Write small pictures of each format, of 8, 16 and 32 bits."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 8, 3), dtype=np.uint8)
    colour = Image.fromarray(pixels)
    tags = Image.Exif()
    tags[0x0112] = 6
    frames = {"save_all": True, "append_images": [colour.rotate(180)]}
    deep = pixels[..., 0].astype(np.uint16) * 100
    files = {
        "a.jpg": (colour, {}),
        "progressive.jpg": (colour, {"progressive": True}),
        "turned.jpg": (colour, {"exif": tags}),
        "cmyk.jpg": (colour.convert("CMYK"), {}),
        "a.png": (colour, {"exif": tags}),
        "palette.png": (colour.convert("P"), {}),
        "deep.png": (Image.fromarray(deep), {}),
        "a.webp": (colour, {"lossless": True}),
        "a.bmp": (colour, {}),
        "a.gif": (colour, frames),
        "moving.webp": (colour, frames),
        "a.tiff": (colour, {"tiffinfo": {274: 6}}),
        "deep.tiff": (Image.fromarray(deep.astype(">u2")), {}),
        "pages.tiff": (colour, frames),
        "float.tiff": (Image.fromarray(pixels[..., 0] / np.float32(9)), {}),
        "a.ppm": (colour, {}),
    }
    for name, (picture, options) in files.items():
        buffer = io.BytesIO()
        picture.save(buffer, name.rpartition(".")[2].replace("jpg", "jpeg"), **options)
        (folder / name).write_bytes(buffer.getvalue())
    return [folder / name for name in files]


def read(path: Path) -> None:
    """Decode the frame as the loader does, in both ways, and check it as check-data does."""
    from opengait.errors import DataError
    from opengait_ext.data.check.frames import FrameCheck

    look = FrameCheck()(str(path))
    FrameCheck(fast=True)(str(path))
    try:
        for reduced in (False, True):
            ImageFrames([path], (32, 16), reduced=reduced)[[0]]
    except DataError as error:
        if not look.kind:
            raise AssertionError(f"the checker finds no fault in what the reader refuses: {error}") from error
        raise
