"""Figure 5: ranked lists of queries, correct matches framed in green and wrong ones in red."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait.errors import DataError
from opengait_ext.runs.figures.style import CORRECT, SETTINGS, WRONG, new_figure
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.tested_run import TestedRun, check_comparable

Frames = Callable[[int, int], np.ndarray]
CELL = 1.2  # width of a film strip in inches
GAP = 2  # pixels between the frames of a film strip


def draw_ranked_lists(
    runs: Sequence[TestedRun],
    direction: str,
    queries: Sequence[int],
    frames: Frames,
    top: int = 6,
    strip: int = 3,
) -> Figure:
    """Draw rows of film strips: the query, then the `top` nearest gallery tracklets; one row per query and run.

    Args:
        runs: runs whose rows are drawn below each other for each query.
        direction: a direction such as "infrared_to_visible".
        queries: indices of tracklets of the run.
        frames: returns a number of frames of the tracklet at an index, uint8 (k, h, w, 3).
        top: gallery tracklets per row.
        strip: frames per tracklet.

    Raises:
        DataError: a tracklet is not a query of the direction, or the runs tested different tracklets.
    """
    check_comparable(list(runs))
    rankings = [Ranking(run, run.direction(direction)) for run in runs]
    rows = [(query, ranking) for query in queries for ranking in rankings]
    with rc_context(SETTINGS | {"axes.grid": False}):
        shape = film_strip(frames(queries[0], strip)).shape
        height = CELL * shape[0] / shape[1] + 0.45
        figure = new_figure(CELL * (top + 1) + 0.4, height * len(rows) + 0.3)
        grid = figure.subplots(len(rows), top + 1, squeeze=False)
        for cells, (query, ranking) in zip(grid, rows, strict=True):
            _draw_row(cells, ranking, query, frames, strip)
        figure.suptitle(direction.replace("_", " "))
    return figure


def _draw_row(cells: Sequence[Axes], ranking: Ranking, query: int, frames: Frames, strip: int) -> None:
    features = ranking.run.features
    row = row_of(ranking, query)
    _draw_strip(cells[0], film_strip(frames(query, strip)), "#444444")
    cells[0].set_title(f"query {features.labels[query]}", fontsize=7)
    cells[0].set_ylabel(ranking.run.name, fontsize=7)
    order, hits = ranking.order(row), ranking.hits(row)
    for rank, axes in enumerate(cells[1:]):
        if rank >= len(order) or ranking.removed[row, order[rank]]:
            axes.axis("off")
            continue
        tracklet = int(ranking.gallery[order[rank]])
        _draw_strip(axes, film_strip(frames(tracklet, strip)), *((CORRECT, "-") if hits[rank] else (WRONG, "--")))
        # Colours alone would be lost in grey prints and on readers who cannot tell green from red.
        mark = "\u2713 correct" if hits[rank] else "\u2717 wrong"
        distance = ranking.distance[row, order[rank]]
        axes.set_title(f"{rank + 1}. {features.labels[tracklet]} {mark}\n{distance:.3f}", fontsize=6)


def _draw_strip(axes: Axes, picture: np.ndarray, colour: str, line: str = "-") -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=2.2, linestyle=line)


def row_of(ranking: Ranking, query: int) -> int:
    """Return the row of a tracklet among the queries of a ranking.

    Raises:
        DataError: it is not a query of that direction.
    """
    rows = np.flatnonzero(ranking.query == query)
    if not len(rows):
        raise DataError(f"Tracklet {query} of {ranking.run.file} is not a query of {ranking.direction.name}.")
    return int(rows[0])


def film_strip(frames: np.ndarray) -> np.ndarray:
    """Return frames (k, h, w, 3) side by side on white, uint8 (h, width, 3)."""
    parts = []
    for number, frame in enumerate(frames):
        if number:
            parts.append(np.full((frame.shape[0], GAP, 3), 255, dtype=np.uint8))
        parts.append(frame)
    return np.concatenate(parts, axis=1)


def choose_queries(ranking: Ranking, count: int, how: str = "random", seed: int = 0) -> list[int]:
    """Return the tracklets of `count` queries that have a match.

    Args:
        ranking: the ranking.
        count: number of queries, or fewer if fewer have a match.
        how: "random", or "worst" or "best" by average precision.
        seed: seed of the random choice.

    Raises:
        DataError: `how` is unknown, or no query has a match.
    """
    valid = np.flatnonzero(ranking.valid)
    if not len(valid):
        raise DataError(f"No query of {ranking.direction.name} has a match in {ranking.run.file}.")
    if how == "random":
        rows = np.random.default_rng(seed).permutation(valid)[:count]
    elif how in ("worst", "best"):
        precision = ranking.metrics.ap[valid]
        rows = valid[np.argsort(precision if how == "worst" else -precision, kind="stable")[:count]]
    else:
        raise DataError(f"Queries are chosen by random, worst or best, not {how!r}.")
    return [int(ranking.query[row]) for row in rows]
