"""Figures 1 and 3: frames, masks and enriched silhouettes of both modalities."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait_ext.runs.figures.people import Seen
from opengait_ext.runs.figures.ranked_lists import film_strip
from opengait_ext.runs.figures.style import SETTINGS, new_figure
from opengait_ext.runs.silhouettes.panels import grey_to_colour

# Two people in both modalities fit the width of a printed page; heights are in inches.
COLUMNS, HEIGHT = 4, 1.25
ROWS = ("frame", "mask S", "enriched M")


def draw_silhouettes(seen: Sequence[Seen]) -> Figure:
    """Draw film strips of frames, masks and enriched silhouettes in blocks of `COLUMNS` tracklets."""
    blocks = [seen[start : start + COLUMNS] for start in range(0, len(seen), COLUMNS)]
    height, width, _ = film_strip(seen[0].frames).shape
    cell = HEIGHT * width / height
    with rc_context(SETTINGS | {"axes.grid": False}):
        figure = new_figure(cell * min(COLUMNS, len(seen)) + 0.6, (len(ROWS) * HEIGHT + 0.3) * len(blocks))
        for part, block in zip(figure.subfigures(len(blocks), 1, squeeze=False)[:, 0], blocks, strict=True):
            grid = part.subplots(len(ROWS), COLUMNS if len(blocks) > 1 else len(block), squeeze=False)
            for axes in grid.ravel():
                axes.axis("off")
            for column, one in enumerate(block):
                _draw_column(grid[:, column], one)
            for axes, name in zip(grid[:, 0], ROWS, strict=True):
                axes.text(-0.03, 0.5, name, transform=axes.transAxes, rotation=90, ha="right", va="center")
    return figure


def _draw_column(cells: Sequence[Axes], seen: Seen) -> None:
    for axes, stack in zip(cells, (seen.frames, grey_to_colour(seen.masks), seen.enriched), strict=True):
        axes.imshow(film_strip(stack), interpolation="nearest")
    cells[0].set_title(seen.shown.title, fontsize=8)
