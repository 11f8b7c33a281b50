"""Training curves from the run folder's TensorBoard files."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from opengait_ext.figures.style import PALETTE, SETTINGS, new_figure

Curve = tuple[np.ndarray, np.ndarray]
# Lines beyond this many in a panel cannot be told apart.
LINES = len(PALETTE)


def read_curves(run: Path) -> dict[str, Curve]:
    """`{tag: (iterations, values)}` of the scalars under `summary/`; empty for a run that was not trained here."""
    folder = run / "summary"
    if not folder.is_dir():
        return {}
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    curves = {}
    for tag in sorted(events.Tags()["scalars"]):
        found = events.Scalars(tag)
        curves[tag] = np.array([e.step for e in found]), np.array([e.value for e in found])
    return curves


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
                axes.plot(*curves[tag], color=PALETTE[place], lw=1.2, label=tag.rpartition("/")[0] or kind)
            axes.set(title=kind.replace("_", " "), xlabel="iteration")
            if len(tags) > 1:
                axes.legend(fontsize=6)
        for axes in grid[len(panels) :]:
            axes.axis("off")
    return figure
