"""Figures 1 and 3: frames, masks and enriched silhouettes of both modalities."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from opengait_ext.runs.figures.people import Seen
from opengait_ext.runs.figures.ranked_lists import film_strip
from opengait_ext.runs.figures.style import SETTINGS, new_figure

# Two people in both modalities fit the width of a printed page; heights are in inches.
COLUMNS, HEIGHT = 4, 1.25
ROWS = ("frame", "mask", "enriched", "silhouette")


def draw_silhouettes(seen: Sequence[Seen]) -> Figure:
    """Draw film strips of `ROWS`, as far as there are such, in blocks of `COLUMNS` tracklets."""
    rows = [name for name in ROWS if name in seen[0].rows]
    blocks = [seen[start : start + COLUMNS] for start in range(0, len(seen), COLUMNS)]
    height, width, _ = film_strip(seen[0].frames).shape
    cell = HEIGHT * width / height
    with rc_context(SETTINGS | {"axes.grid": False}):
        figure = new_figure(cell * min(COLUMNS, len(seen)) + 0.6, (len(rows) * HEIGHT + 0.3) * len(blocks))
        for part, block in zip(figure.subfigures(len(blocks), 1, squeeze=False)[:, 0], blocks, strict=True):
            grid = part.subplots(len(rows), COLUMNS if len(blocks) > 1 else len(block), squeeze=False)
            for axes in grid.ravel():
                axes.axis("off")
            for column, one in enumerate(block):
                for axes, name in zip(grid[:, column], rows, strict=True):
                    axes.imshow(film_strip(one.rows[name]), interpolation="nearest")
                grid[0, column].set_title(one.shown.title, fontsize=8)
            for axes, name in zip(grid[:, 0], rows, strict=True):
                axes.text(-0.03, 0.5, name, transform=axes.transAxes, rotation=90, ha="right", va="center")
    return figure
