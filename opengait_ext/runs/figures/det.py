"""DET curves of open-set identification: FNIR against FPIR, with the operating point of `vvi search`.

Both axes are in normal deviates, where the curve of two normal distributions is a straight line (Martin et al., The DET
curve in assessment of detection task performance, Eurospeech 1997).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait.errors import DataError
from opengait_ext.evaluation.calibrate import compare_modalities
from opengait_ext.evaluation.open_set import Searches
from opengait_ext.evaluation.protocol import Direction
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.tested_run import TestedRun, check_comparable

# FPIR that the operating point is set for, the default of `vvi search`.
LEVEL = 0.05
TICKS = (1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
LINE_STYLES, MARKERS = ("-", "--", ":", "-."), "os^D"


@dataclass(frozen=True)
class OpenSet:
    """Open-set identification of a tested run in one direction, as its test measured it.

    Attributes:
        searches: searches with half of the people enrolled, pooled over draws.
        gallery: the expected number of gallery tracklets.
        threshold: distance at which the run's calibration states an FPIR of `level` for that gallery.
        level: the FPIR that the operating point is set for.
    """

    searches: Searches
    gallery: int
    threshold: float
    level: float

    @cached_property
    def operating_point(self) -> tuple[float, float]:
        """FPIR and FNIR of the searches at the threshold."""
        return self.searches.fpir(self.threshold), self.searches.fnir(self.threshold)


def open_set_of(run: TestedRun, direction: Direction, level: float = LEVEL) -> OpenSet:
    """Search among the saved descriptors of a run, and calibrate on them, as its test did.

    Args:
        run: the test.
        direction: one of the cross-modal directions.
        level: FPIR of the operating point.

    Raises:
        DataError: the test was re-ranked, or has too few people for a calibration.
    """
    if run.card.get("re_ranking"):
        raise DataError(f"{run.file} was re-ranked; open-set identification needs the distances themselves.")
    features = run.features
    comparison = compare_modalities(
        features.embeddings,
        features.labels,
        features.types,
        Ranking(run, direction).cameras,
        (str(direction.query), str(direction.gallery)),
        run.card["distance"]["metric"],
        run.protocol.camera_rule,
    )
    try:
        calibration = comparison.fit()
    except DataError as error:
        raise DataError(f"{run.file} has no DET curve. {error}") from error
    gallery = max(1, comparison.half_gallery)
    return OpenSet(comparison.search_halves(), gallery, calibration.distance_at(level, gallery), level)


def draw_det(runs: Sequence[TestedRun], directions: Sequence[str], level: float = LEVEL) -> Figure:
    """Draw DET curves, one panel per direction with one line per run.

    Raises:
        DataError: the runs tested different tracklets, or one has no open-set identification.
    """
    check_comparable(list(runs))
    with rc_context(SETTINGS):
        figure = new_figure(3.9 * len(directions) + 0.4, 3.9)
        panels = figure.subplots(1, len(directions), squeeze=False)[0]
        for axes, direction in zip(panels, directions, strict=True):
            axes.set_xscale("function", functions=(_deviate, _share))
            axes.set_yscale("function", functions=(_deviate, _share))
            measured = [open_set_of(run, run.direction(direction), level) for run in runs]
            for number, (run, open_set) in enumerate(zip(runs, measured, strict=True)):
                _draw_curve(axes, run.name, open_set, number)
            _dress(axes, measured)
            axes.set_title(direction.replace("_", " "))
        panels[0].set_ylabel("FNIR (Rank-1), %")
    return figure


def _draw_curve(axes: Axes, name: str, open_set: OpenSet, number: int) -> None:
    _, fpir, fnir = open_set.searches.curve()
    colour = PALETTE[number % len(PALETTE)]
    # Between two distances the rates stay as they are.
    axes.plot(_inside(fpir), _inside(fnir), LINE_STYLES[number % 4], color=colour, lw=1.3, drawstyle="steps-post")
    point = open_set.operating_point
    rates = ", ".join(f"{kind} {100 * rate:.1f} %" for kind, rate in zip(("FPIR", "FNIR"), point, strict=True))
    axes.plot(
        *([np.clip(rate, TICKS[0], TICKS[-1])] for rate in point),
        LINE_STYLES[number % 4],
        marker=MARKERS[number % len(MARKERS)],
        color=colour,
        clip_on=False,
        label=f"{name}: {rates}",
    )


def _dress(axes: Axes, measured: Sequence[OpenSet]) -> None:
    axes.axvline(measured[0].level, color="#555555", lw=0.8, ls="--")
    for side, mated in (("x", False), ("y", True)):
        searches = max(1, *(int((one.searches.mated == mated).sum()) for one in measured))
        # The smallest rate that is not 0 is that of one search.
        low, high = max(0.5 / searches, TICKS[0]), TICKS[-1]
        ticks = [tick for tick in TICKS if low <= tick <= high]
        labels = [f"{100 * tick:g}" for tick in ticks]
        axes.set(**{f"{side}lim": (low, high), f"{side}ticks": ticks, f"{side}ticklabels": labels})
    axes.set_xlabel("FPIR, %")
    title = f"threshold for FPIR {100 * measured[0].level:g} %"
    # Below the panel, since curves may be anywhere in it.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), title=title, fontsize=8, title_fontsize=8)


def _inside(rate: np.ndarray | float) -> np.ndarray:
    """Return rates that have a finite deviate; 0 and 1 lie beyond the axes."""
    return np.clip(np.atleast_1d(rate), 1e-6, 1 - 1e-6)


def _deviate(rate: np.ndarray) -> np.ndarray:
    """Return the normal deviate of each rate, the inverse of `_share`."""
    return torch.special.ndtri(torch.as_tensor(_inside(rate), dtype=torch.float64)).numpy()


def _share(deviate: np.ndarray) -> np.ndarray:
    """Return the standard normal distribution function."""
    return torch.special.ndtr(torch.as_tensor(np.asarray(deviate), dtype=torch.float64)).numpy()
