"""A contact sheet of random tracklets: one row per tracklet, with some of its frames in time order."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from opengait.data.frame_picker import uniform
from opengait.data.frames import ImageFrames, PickledFrames
from opengait.data.packs.read import Pack, open_pack
from opengait.errors import DataError
from opengait.utils.files import write_whole
from opengait_ext.data.tracklet import Tracklet

HEIGHT, GAP, LEFT = 128, 4, 190
BACKGROUND, INK, BROKEN = (255, 255, 255), (20, 20, 20), (235, 200, 200)


def draw_preview(
    path: str | Path,
    splits: Mapping[str, Sequence[Any]],
    root: Path,
    tracklets: int = 16,
    frames: int = 10,
    seed: int = 0,
) -> None:
    """Draw random tracklets into an image; unreadable frames are red tiles.

    Args:
        path: the image, written atomically.
        splits: tracklets by split, from `check_dataset`.
        root: folder of the dataset.
        tracklets: number of rows.
        frames: number of frames per tracklet, evenly spaced.
        seed: seed of the draw.

    Raises:
        DataError: there are no tracklets, or the image cannot be written.
    """
    listed = [(split, tracklet) for split, part in splits.items() for tracklet in part]
    if not listed:
        raise DataError(f"There are no tracklets at {root} to preview.")
    indices = sorted(random.Random(seed).sample(range(len(listed)), min(tracklets, len(listed))))
    pack = open_pack(root)
    rows = [(title(*listed[index]), tiles_of(listed[index][1], frames, pack)) for index in indices]
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
    """Return the label of a row."""
    if isinstance(tracklet, Tracklet):
        return f"{split}, {tracklet.modality}\nperson {tracklet.person}\n{tracklet.view}, {len(tracklet.frames)} frames"
    return f"{split}, {tracklet.type}\nid {tracklet.label}\n{tracklet.view}"


def tiles_of(tracklet: Any, count: int, pack: Pack | None) -> list[Image.Image]:
    """Return evenly spaced frames as images of one height."""
    if not isinstance(tracklet, Tracklet):
        return [to_tile(frame) for frame in pickled_frames(tracklet.files, count)]
    source = ImageFrames(tracklet.frames, (HEIGHT, HEIGHT), pack)
    tiles = []
    for index in uniform(len(source), min(count, len(source))):
        try:
            tiles.append(to_tile(np.asarray(source.picture(index)).transpose(2, 0, 1)))
        except DataError:
            tiles.append(to_tile(None))
    return tiles


def pickled_frames(files: Sequence[Path], count: int) -> list[np.ndarray | None]:
    """Return evenly spaced frames of the first feature that consists of images; [None] if there is none."""
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
    """Convert a frame `[h, w]` or `[3, h, w]` into an image of the row's height, keeping its aspect ratio."""
    if frame is None:
        return Image.new("RGB", (HEIGHT // 2, HEIGHT), BROKEN)
    if frame.ndim == 3:
        frame = frame[:3].transpose(1, 2, 0) if len(frame) >= 3 else frame[0]
    if frame.dtype != np.uint8:
        span = float(frame.max() - frame.min()) or 1.0
        frame = ((frame - frame.min()) / span * 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(frame)).convert("RGB")
    return picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT), Image.Resampling.BILINEAR)
