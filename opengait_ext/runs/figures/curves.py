"""Figure 6 (distances of matching and other pairs) and CMC curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait_ext.runs.figures.style import MATCHING, OTHER, PALETTE, SETTINGS, new_figure
from opengait_ext.runs.tested_run import Ranking, TestedRun, check_comparable

BINS = 80


@dataclass(frozen=True)
class Gap:
    """Distances of a direction: means of matching and of other pairs; `delta` is the difference, Figure 6's."""

    matching: float
    other: float

    @property
    def delta(self) -> float:
        """How much farther apart different people are."""
        return self.other - self.matching


def gap_of(ranking: Ranking) -> Gap:
    """Means over the pairs that count: those that the camera rule removes are left out."""
    kept = ~ranking.removed
    same, other = ranking.distance[ranking.matches & kept], ranking.distance[~ranking.matches]
    return Gap(float(same.mean()) if same.size else np.nan, float(other.mean()) if other.size else np.nan)


def draw_distances(runs: Sequence[TestedRun], direction: str) -> Figure:
    """Figure 6: the distributions of both kinds of pairs, a row a run.

    Distances of two runs have different scales, so each row's are divided by its own mean over other pairs.

    Raises:
        DataError: the runs tested different tracklets.
    """
    check_comparable(list(runs))
    with rc_context(SETTINGS):
        figure = new_figure(5.2, 2.1 * len(runs) + 0.4)
        rows = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
        for axes, run in zip(rows, runs, strict=True):
            _draw_row(axes, Ranking(run, run.direction(direction)))
        rows[-1].set_xlabel("distance, as a multiple of the mean over pairs of different people")
        figure.suptitle(direction.replace("_", " "))
    return figure


def _draw_row(axes: Axes, ranking: Ranking) -> None:
    gap = gap_of(ranking)
    same = ranking.distance[ranking.matches & ~ranking.removed] / gap.other
    other = ranking.distance[~ranking.matches] / gap.other
    edges = np.linspace(0, max(same.max(initial=1), other.max(initial=1)), BINS + 1)
    kinds = ((same, MATCHING, "same person", "", "-"), (other, OTHER, "others", "///", "--"))
    for values, colour, label, hatch, line in kinds:
        axes.hist(
            values, edges, density=True, color=colour, alpha=0.45, edgecolor=colour, hatch=hatch, label=label, lw=0.3
        )
        axes.axvline(values.mean() if values.size else np.nan, color=colour, lw=1.4, ls=line)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, 1.3 * top)
    ends = {"xy": (gap.matching / gap.other, 1.12 * top), "xytext": (1, 1.12 * top)}
    axes.annotate("", **ends, arrowprops={"arrowstyle": "<->", "lw": 0.9, "shrinkA": 0, "shrinkB": 0})
    delta = f"\u03b4 {gap.delta / gap.other:.3f}"
    axes.text((1 + gap.matching / gap.other) / 2, 1.13 * top, delta, ha="center", va="bottom", fontsize=8)
    axes.set_title(f"{ranking.run.name}: gap of the means {delta}", loc="left")
    axes.set_ylabel("density")
    axes.legend(loc="upper left")  # nobody is much nearer than most


def draw_cmc(runs: Sequence[TestedRun], directions: Sequence[str], ranks: int = 20) -> Figure:
    """CMC curves, a panel a direction and a line a run.

    Raises:
        DataError: the runs tested different tracklets.
    """
    check_comparable(list(runs))
    styles = ("-", "--", ":", "-.")
    with rc_context(SETTINGS):
        figure = new_figure(3.4 * len(directions) + 0.4, 3.0)
        panels = figure.subplots(1, len(directions), sharey=True, squeeze=False)[0]
        for axes, direction in zip(panels, directions, strict=True):
            for place, run in enumerate(runs):
                curve = 100 * Ranking(run, run.direction(direction)).cmc(ranks)
                axes.plot(
                    np.arange(1, ranks + 1),
                    curve,
                    styles[place % len(styles)],
                    color=PALETTE[place % len(PALETTE)],
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
        panels[0].set_ylabel("queries with a match so far, %")
    return figure
