"""Packs: the header, the index and the shards."""

from pathlib import Path

from PIL import Image

from opengait.data.frames import ImageFrames
from opengait.data.packs.header import HEADER
from opengait.data.packs.read import Pack
from opengait.data.packs.verify import verify_pack
from opengait.data.packs.write import write_pack
from opengait.errors import DataError


def samples(folder: Path) -> list[Path]:
    """Write a pack of six frames in two shards, and a list."""
    data = folder / "data"
    for number in range(6):
        path = data / "Train" / f"{number % 2:04d}" / f"{number}é.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 16), 40 * number).save(path)
    (data / "list.txt").write_text("0 1 2\n")
    write_pack(data, folder / "pack", shard_bytes=300)
    header = folder / "pack" / HEADER
    return [header, header, *sorted(path for path in (folder / "pack").rglob("*") if path.is_file())]


def read(path: Path) -> None:
    """Read every frame of the pack, and verify it."""
    root = next(folder for folder in path.parents if folder.name == "pack")
    pack = Pack(root)
    names = list(pack.names())
    frames = ImageFrames([root / name for name in names], (16, 8), pack)
    for number in range(len(names)):
        frames[[number]]
    if len(names) != 6 or [int(frames[[number]].max()) for number in (0, 5)] != [0, 200]:
        raise AssertionError("a damaged pack was read as another one")
    if verify_pack(pack):
        raise DataError("The pack does not match its checksums.")
