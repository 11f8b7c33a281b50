"""Training curves from the run folder's TensorBoard files."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from opengait_ext.runs.compare.outcome import Curve
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure

# Lines beyond this many in a panel cannot be told apart.
LINES = len(PALETTE)
LINES_OF = ("-", "--", ":", "-.")
# Terms that differ more than this are all lines along an axis, but on a logarithmic scale.
RANGE = 50
# A legend of more lines leaves no room for them.
FEW = 4


def draw_curves(curves: Mapping[str, Curve]) -> Figure:
    """A panel for each kind of value (`loss`, `accuracy`, ...), a line for each term."""
    panels: dict[str, list[str]] = defaultdict(list)
    for tag in curves:
        panels[tag.rpartition("/")[2]].append(tag)
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with rc_context(SETTINGS):
        figure = new_figure(3.4 * columns, 2.3 * rows + 0.2)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (kind, tags) in zip(grid, sorted(panels.items()), strict=False):
            for place, tag in enumerate(tags[:LINES]):
                style = {"color": PALETTE[place], "ls": LINES_OF[place % len(LINES_OF)], "lw": 1.2}
                axes.plot(*curves[tag], **style, label=(tag.rpartition("/")[0] or kind).replace("_", " "))
            values = np.concatenate([curves[tag][1] for tag in tags[:LINES]])
            if values.min() > 0 and values.max() > RANGE * values.min():
                axes.set_yscale("log")
            axes.set(title=kind.replace("_", " "), xlabel="iteration")
            if len(tags) > FEW:
                axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
            elif len(tags) > 1:
                axes.legend(fontsize=6)
        for axes in grid[len(panels) :]:
            axes.axis("off")
    return figure
