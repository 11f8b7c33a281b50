"""Training curves from the values that a run logged."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from opengait_ext.runs.compare.outcome import Curve
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure

# More lines per panel would share colours.
LINES = len(PALETTE)
LINE_STYLES = ("-", "--", ":", "-.")
# Panels whose values span a larger ratio have a logarithmic scale.
RANGE = 50
# Longer legends are placed beside the panel.
SHORT_LEGEND = 4


def draw_training_curves(curves: Mapping[str, Curve]) -> Figure:
    """Draw a panel for each kind of value (`loss`, `accuracy`, ...) with a line for each term."""
    panels: dict[str, list[str]] = defaultdict(list)
    for tag in curves:
        panels[tag.rpartition("/")[2]].append(tag)
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with rc_context(SETTINGS):
        figure = new_figure(3.4 * columns, 2.3 * rows + 0.2)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (kind, tags) in zip(grid, sorted(panels.items()), strict=False):
            for number, tag in enumerate(tags[:LINES]):
                style = {"color": PALETTE[number], "ls": LINE_STYLES[number % len(LINE_STYLES)], "lw": 1.2}
                axes.plot(*curves[tag], **style, label=(tag.rpartition("/")[0] or kind).replace("_", " "))
            values = np.concatenate([curves[tag][1] for tag in tags[:LINES]])
            if values.min() > 0 and values.max() > RANGE * values.min():
                axes.set_yscale("log")
            axes.set(title=kind.replace("_", " "), xlabel="iteration")
            if len(tags) > SHORT_LEGEND:
                axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
            elif len(tags) > 1:
                axes.legend(fontsize=6)
        for axes in grid[len(panels) :]:
            axes.axis("off")
    return figure
