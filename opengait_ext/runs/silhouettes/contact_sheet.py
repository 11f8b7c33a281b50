"""Contact sheets: one row per person with the four panels of both modalities."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from opengait.data.frame_picker import uniform
from opengait.utils.files import write_whole
from opengait_ext.data import Modality
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.runs.silhouettes.export import ENRICHED, MASKS
from opengait_ext.runs.silhouettes.image_files import read_colour, read_grey, write_png
from opengait_ext.runs.silhouettes.panels import PANELS, panels

TILE_HEIGHT = 128
GAP, GROUP_GAP, BLOCK_GAP = 2, 8, 24
LEFT, TOP = 64, 44
BACKGROUND, INK, FAINT = (255, 255, 255), (20, 20, 20), (140, 140, 140)


def draw_contact_sheets(
    out: str | Path, tracklets: Sequence[ChosenTracklet], frames: int = 3, people: int = 8
) -> list[Path]:
    """Draw the first exported tracklet of each person and modality.

    Args:
        out: a folder written by `export_silhouettes`.
        tracklets: the exported tracklets.
        frames: evenly spread frames per tracklet.
        people: rows per page.

    Returns:
        `contact_sheet.png`, or `contact_sheet-01.png` and so on if there are several pages.

    Raises:
        DataError: a frame or an exported picture cannot be read.
    """
    out = Path(out)
    rows: dict[str, dict[str, ChosenTracklet]] = {}
    for tracklet in tracklets:
        rows.setdefault(tracklet.label, {}).setdefault(tracklet.type, tracklet)
    labels = sorted(rows)
    pages = [labels[start : start + people] for start in range(0, len(labels), people)]
    names = ["contact_sheet.png"]
    if len(pages) > 1:
        names = [f"contact_sheet-{number:02d}.png" for number in range(1, len(pages) + 1)]
    # Otherwise pages of an earlier choice of tracklets would seem to belong to this one.
    for former in out.glob("contact_sheet*.png"):
        if former.name not in names:
            former.unlink()
    kinds = [str(modality) for modality in Modality]
    kinds += sorted({tracklet.type for tracklet in tracklets} - set(kinds))
    for name, page in zip(names, pages, strict=True):
        sheet = Sheet(out, kinds, frames).draw([rows[label] for label in page], page)
        write_whole(out / name, partial(write_png, picture=sheet))
    return [out / name for name in names]


class Sheet:
    """One page: a block of columns per type, in it a group per frame, in it the four panels.

    Args:
        out: a folder written by `export_silhouettes`.
        kinds: types, one block each.
        frames: groups per block.
    """

    def __init__(self, out: Path, kinds: Sequence[str], frames: int) -> None:
        self.out = out
        self.kinds = kinds
        self.frames = frames
        self.font = ImageFont.load_default(size=11)
        self.heading = ImageFont.load_default(size=14)

    def draw(self, rows: Sequence[dict[str, ChosenTracklet]], labels: Sequence[str]) -> np.ndarray:
        """Return the page as uint8 (h, w, 3); `rows` holds the tracklet of each person by type."""
        tiles = [[self.tiles(row[kind]) if kind in row else None for kind in self.kinds] for row in rows]
        shapes = [group[0].shape for row in tiles for block in row if block for group in block]
        self.tile_width = max(shape[1] for shape in shapes)
        group = len(PANELS) * (self.tile_width + GAP)
        self.group_step, self.block_step = group + GROUP_GAP, self.frames * (group + GROUP_GAP) + BLOCK_GAP
        width = LEFT + len(self.kinds) * self.block_step - BLOCK_GAP
        page = Image.new("RGB", (width, TOP + len(rows) * (TILE_HEIGHT + GROUP_GAP)), BACKGROUND)
        pen = ImageDraw.Draw(page)
        self.draw_heads(pen)
        for number, (label, row) in enumerate(zip(labels, tiles, strict=True)):
            top = TOP + number * (TILE_HEIGHT + GROUP_GAP)
            pen.text((6, top + TILE_HEIGHT // 2 - 8), label, INK, self.heading)
            for block, kind in enumerate(self.kinds):
                self.draw_block(page, pen, row[block], kind, LEFT + block * self.block_step, top)
        return np.asarray(page)

    def tiles(self, tracklet: ChosenTracklet) -> list[list[np.ndarray]]:
        """Return the panels of the frames to draw, each `TILE_HEIGHT` pixels high."""
        count = len(tracklet.indices)
        chosen = uniform(count, min(self.frames, count))
        frames = tracklet.source[[tracklet.indices[number] for number in chosen]].transpose(0, 2, 3, 1)
        folder = self.out / tracklet.folder
        groups = []
        for number, frame in zip(chosen, frames, strict=True):
            name = f"{tracklet.names[number]}.png"
            pictures = panels(frame, read_grey(folder / MASKS / name), read_colour(folder / ENRICHED / name))
            groups.append([to_tile(picture) for picture in pictures])
        return groups

    def draw_heads(self, pen: ImageDraw.ImageDraw) -> None:
        """Draw the headings of the blocks and columns."""
        for block, kind in enumerate(self.kinds):
            left = LEFT + block * self.block_step
            pen.text((left, 4), kind, INK, self.heading)
            for group in range(self.frames):
                for column, text in enumerate(PANELS):
                    x = left + group * self.group_step + column * (self.tile_width + GAP)
                    pen.text((x, TOP - 18), text, INK, self.font)

    def draw_block(
        self,
        page: Image.Image,
        pen: ImageDraw.ImageDraw,
        groups: list[list[np.ndarray]] | None,
        kind: str,
        left: int,
        top: int,
    ) -> None:
        """Draw the tiles of a tracklet, or a note that there is none."""
        if groups is None:
            pen.text((left, top + TILE_HEIGHT // 2 - 8), f"no {kind} tracklet chosen", FAINT, self.font)
            return
        for group, tiles in enumerate(groups):
            for column, tile in enumerate(tiles):
                x = left + group * self.group_step + column * (self.tile_width + GAP)
                page.paste(Image.fromarray(tile), (x, top))


def to_tile(picture: np.ndarray) -> np.ndarray:
    """Scale a picture to `TILE_HEIGHT`, keeping its proportions."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * TILE_HEIGHT / height)), TILE_HEIGHT)
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BILINEAR))
