"""Figure 6 (distances of matching and non-matching pairs) and CMC curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait_ext.runs.figures.style import MATCHING, OTHER, PALETTE, SETTINGS, new_figure
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.tested_run import TestedRun, check_comparable

BINS = 80


@dataclass(frozen=True)
class Gap:
    """Mean distances of matching and of other pairs in one direction; NaN where there are none."""

    matching: float
    other: float

    @property
    def delta(self) -> float:
        """The gap between the two means, as in Figure 6."""
        return self.other - self.matching

    @property
    def relative(self) -> float:
        """The gap as a share of the mean distance of other pairs; NaN without such pairs or distances."""
        return self.delta / self.other if self.other > 0 else np.nan


def gap_of(ranking: Ranking) -> Gap:
    """Return the mean distances of a ranking without the pairs that the camera rule removes."""
    kept = ~ranking.removed
    same, other = ranking.distance[ranking.matches & kept], ranking.distance[~ranking.matches]
    return Gap(float(same.mean()) if same.size else np.nan, float(other.mean()) if other.size else np.nan)


def draw_distances(runs: Sequence[TestedRun], direction: str) -> Figure:
    """Draw Figure 6: the distances of matching and non-matching pairs, one row per run.

    Runs differ in the scale of their distances, so each row is divided by its own mean over non-matching pairs.

    Raises:
        DataError: the runs tested different tracklets.
    """
    check_comparable(list(runs))
    with rc_context(SETTINGS):
        figure = new_figure(5.2, 2.1 * len(runs) + 0.4)
        rows = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
        for axes, run in zip(rows, runs, strict=True):
            _draw_row(axes, Ranking(run, run.direction(direction)))
        rows[-1].set_xlabel("distance, relative to the mean distance of different people")
        figure.suptitle(direction.replace("_", " "))
    return figure


def _draw_row(axes: Axes, ranking: Ranking) -> None:
    gap = gap_of(ranking)
    unit = gap.other if gap.other > 0 else 1.0
    same = ranking.distance[ranking.matches & ~ranking.removed] / unit
    other = ranking.distance[~ranking.matches] / unit
    # Distances by products are negative.
    least, most = min(same.min(initial=0), other.min(initial=0)), max(same.max(initial=1), other.max(initial=1))
    edges = np.linspace(least, most, BINS + 1).tolist()
    kinds = ((same, MATCHING, "same person", "", "-"), (other, OTHER, "different people", "///", "--"))
    for values, colour, label, hatch, line in kinds:
        if not values.size:
            continue
        axes.hist(
            values, edges, density=True, color=colour, alpha=0.45, edgecolor=colour, hatch=hatch, label=label, lw=0.3
        )
        axes.axvline(values.mean(), color=colour, lw=1.4, ls=line)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, 1.3 * top)
    delta = "none"
    if not np.isnan(gap.relative):
        delta = f"\u03b4 {gap.relative:.3f}"
        ends: dict[str, Any] = {"xy": (gap.matching / unit, 1.12 * top), "xytext": (1, 1.12 * top)}
        axes.annotate("", **ends, arrowprops={"arrowstyle": "<->", "lw": 0.9, "shrinkA": 0, "shrinkB": 0})
        axes.text((1 + gap.matching / unit) / 2, 1.13 * top, delta, ha="center", va="bottom", fontsize=8)
    axes.set_title(f"{ranking.run.name}: gap between the means {delta}", loc="left")
    axes.set_ylabel("density")
    axes.legend(loc="upper left")  # the empty corner: small distances are rare


def draw_cmc(runs: Sequence[TestedRun], directions: Sequence[str]) -> Figure:
    """Draw CMC curves, one panel per direction with one line per run.

    Raises:
        DataError: the runs tested different tracklets.
    """
    check_comparable(list(runs))
    styles = ("-", "--", ":", "-.")
    with rc_context(SETTINGS):
        figure = new_figure(3.4 * len(directions) + 0.4, 3.0)
        panels = figure.subplots(1, len(directions), sharey=True, squeeze=False)[0]
        for axes, direction in zip(panels, directions, strict=True):
            for number, run in enumerate(runs):
                curve = 100 * Ranking(run, run.direction(direction)).metrics.cmc
                ranks = len(curve)
                axes.plot(
                    np.arange(1, ranks + 1),
                    curve,
                    styles[number % len(styles)],
                    color=PALETTE[number % len(PALETTE)],
                    marker="o",
                    ms=2.5,
                    label=f"{run.name} ({curve[0]:.1f})",
                )
            axes.set(
                title=direction.replace("_", " "),
                xlabel="rank",
                xlim=(0.5, ranks + 0.5),
                xticks=[1, *range(5, ranks + 1, 5)],
            )
            axes.legend(loc="lower right", title="Rank-1")
        panels[0].set_ylabel("queries with a match up to this rank, %")
    return figure
