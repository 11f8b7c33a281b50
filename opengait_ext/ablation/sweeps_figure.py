"""Figure 4: Rank-1 and mAP against the weight of a loss."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait_ext.ablation.results import HEADS, MeasuredRow, MeasuredTable
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure

_MARKERS = ("o", "s", "^", "D")
_STYLES = ("-", "--")


def draw_sweeps(measured: MeasuredTable) -> Figure:
    """Draw one panel per weight: Rank-1 and mAP in both directions, with error bars for the spread over seeds.

    Values without a finished run leave a gap. The dotted line marks the paper's choice.
    """
    sweeps = measured.table.sweeps
    rows = iter(measured.rows)
    with rc_context(SETTINGS):
        figure = new_figure(3.2 * len(sweeps) + 0.6, 3.0)
        panels = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
        for axes, sweep in zip(panels, sweeps, strict=True):
            _draw_sweep(axes, sweep.values, [next(rows) for _ in sweep.values])
            axes.axvline(sweep.centre, color="0.6", linestyle=":", linewidth=1)
            axes.set(xlabel=sweep.symbol, xticks=sweep.values)
        panels[0].set_ylabel("%")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(HEADS))
    return figure


def _draw_sweep(axes: Axes, values: tuple[float, ...], rows: list[MeasuredRow]) -> None:
    gap = [np.nan] * len(HEADS)
    means = np.array([row.means or gap for row in rows])
    spreads = np.nan_to_num([row.spreads or gap for row in rows])
    directions = (HEADS[0].partition(" ")[0], HEADS[2].partition(" ")[0])
    for column in range(len(HEADS)):
        label = f"{directions[column // 2]} {'mAP' if column % 2 else 'Rank-1'}"
        axes.errorbar(
            values,
            means[:, column],
            spreads[:, column] if spreads.any() else None,
            label=label,
            color=PALETTE[column],
            marker=_MARKERS[column],
            linestyle=_STYLES[column % 2],
            markersize=4,
            capsize=2,
        )
