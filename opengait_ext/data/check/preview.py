"""A contact sheet of random tracklets: a row a tracklet, some of its frames in time order."""

import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from opengait.data.frame_picker import uniform
from opengait.data.frames import PickledFrames
from opengait.data.images import DAMAGE
from opengait.data.packs.read import Pack, open_pack
from opengait.errors import DataError
from opengait.utils.files import write_whole
from opengait_ext.data.tracklet import Tracklet

HEIGHT, GAP, LEFT = 128, 4, 190
BACKGROUND, INK, BROKEN = (255, 255, 255), (20, 20, 20), (235, 200, 200)


def draw_preview(
    path: str | Path,
    splits: dict[str, Sequence[Any]],
    root: Path,
    tracklets: int = 16,
    frames: int = 10,
    seed: int = 0,
) -> None:
    """Write a picture of random tracklets; a frame that cannot be read is a red tile.

    Args:
        path: the picture, written whole or not at all.
        splits: what `check` gave.
        root: the data set's folder.
        tracklets: rows.
        frames: of each, evenly spread.
        seed: another draw of tracklets.

    Raises:
        DataError: there is no tracklet, or the picture cannot be written.
    """
    every = [(split, tracklet) for split, mine in splits.items() for tracklet in mine]
    if not every:
        raise DataError(f"There is no tracklet at {root} to draw a preview of.")
    places = sorted(random.Random(seed).sample(range(len(every)), min(tracklets, len(every))))
    pack = open_pack(root)
    rows = [(title(*every[place]), tiles_of(every[place][1], frames, pack)) for place in places]
    width = LEFT + max(sum(tile.width + GAP for tile in tiles) for _, tiles in rows)
    page = Image.new("RGB", (width, GAP + len(rows) * (HEIGHT + GAP)), BACKGROUND)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for number, (text, tiles) in enumerate(rows):
        top, left = GAP + number * (HEIGHT + GAP), LEFT
        pen.multiline_text((6, top + HEIGHT // 2 - 24), text, INK, font)
        for tile in tiles:
            page.paste(tile, (left, top))
            left += tile.width + GAP
    try:
        write_whole(Path(path).expanduser(), lambda partial: page.save(partial))
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot write the preview {path}: {error}.") from error


def title(split: str, tracklet: Any) -> str:
    """What stands beside a row."""
    if isinstance(tracklet, Tracklet):
        return f"{split}, {tracklet.modality}\nperson {tracklet.person}\n{tracklet.view}, {len(tracklet.frames)} frames"
    return f"{split}, {tracklet.type}\nid {tracklet.label}\n{tracklet.view}"


def tiles_of(tracklet: Any, count: int, pack: Pack | None) -> list[Image.Image]:
    """Evenly spread frames as pictures of one height."""
    if not isinstance(tracklet, Tracklet):
        return [to_tile(frame) for frame in pickled_frames(tracklet.files, count)]
    length = len(tracklet.frames)
    tiles = []
    for place in uniform(length, min(count, length)):
        frame = tracklet.frames[place]
        try:
            with Image.open(io.BytesIO(frame.read_bytes() if pack is None else pack.read(frame))) as image:
                tiles.append(to_tile(np.asarray(image.convert("RGB")).transpose(2, 0, 1)))
        except DAMAGE:
            tiles.append(to_tile(None))
    return tiles


def pickled_frames(files: Sequence[Path], count: int) -> list[np.ndarray | None]:
    """Evenly spread frames of the first feature that is made of pictures; [None] if there is none."""
    for file in files:
        try:
            source = PickledFrames(file)
            frames = source[uniform(len(source), min(count, len(source)))]
        except DataError:
            continue
        if isinstance(frames, np.ndarray) and frames.ndim in (3, 4) and min(frames.shape[-2:]) > 4:
            return list(frames)
    return [None]


def to_tile(frame: np.ndarray | None) -> Image.Image:
    """A frame `[h, w]` or `[3, h, w]` as a picture of the sheet's height, its proportions kept."""
    if frame is None:
        return Image.new("RGB", (HEIGHT // 2, HEIGHT), BROKEN)
    if frame.ndim == 3:
        frame = frame[:3].transpose(1, 2, 0) if len(frame) >= 3 else frame[0]
    if frame.dtype != np.uint8:
        span = float(frame.max() - frame.min()) or 1.0
        frame = ((frame - frame.min()) / span * 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(frame)).convert("RGB")
    return picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT), Image.Resampling.BILINEAR)
