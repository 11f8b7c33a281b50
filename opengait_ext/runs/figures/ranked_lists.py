"""Figure 5: what was found for a query, right answers framed in green and wrong ones in red."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait.errors import DataError
from opengait_ext.runs.figures.style import RIGHT, SETTINGS, WRONG, new_figure
from opengait_ext.runs.tested_run import Ranking, TestedRun, check_comparable

Frames = Callable[[int, int], np.ndarray]
CELL = 1.2  # inches of a film strip's width
GAP = 2  # pixels between the frames of a film strip


def draw_ranked_lists(
    runs: Sequence[TestedRun],
    direction: str,
    queries: Sequence[int],
    frames: Frames,
    top: int = 6,
    strip: int = 3,
) -> Figure:
    """Rows of film strips: the query, then the `top` nearest gallery tracklets; a row a query and run.

    Args:
        runs: one or two, drawn above each other for each query.
        direction: such as "infrared_to_visible".
        queries: places among the run's tracklets.
        frames: gives `strip` frames of the tracklet at a place, uint8 (k, h, w, 3).

    Raises:
        DataError: a place is no query of the direction, or the runs tested different tracklets.
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
    order, hits = ranking.order[row], ranking.hits[row]
    for place, axes in enumerate(cells[1:]):
        if place >= len(order) or ranking.removed[row, order[place]]:
            axes.axis("off")
            continue
        found = int(ranking.gallery[order[place]])
        _draw_strip(axes, film_strip(frames(found, strip)), *((RIGHT, "-") if hits[place] else (WRONG, "--")))
        # Colour alone would leave out whoever cannot tell green from red, and prints in grey.
        mark = "\u2713 right" if hits[place] else "\u2717 wrong"
        distance = ranking.distance[row, order[place]]
        axes.set_title(f"{place + 1}. {features.labels[found]} {mark}\n{distance:.3f}", fontsize=6)


def _draw_strip(axes: Axes, picture: np.ndarray, colour: str, line: str = "-") -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=2.2, linestyle=line)


def row_of(ranking: Ranking, query: int) -> int:
    """The row of a tracklet among the queries of a direction.

    Raises:
        DataError: it is no query there.
    """
    rows = np.flatnonzero(ranking.query == query)
    if not len(rows):
        raise DataError(f"Tracklet {query} of {ranking.run.file} is no query of {ranking.direction.name}.")
    return int(rows[0])


def film_strip(frames: np.ndarray) -> np.ndarray:
    """Frames (k, h, w, 3) side by side on white, uint8 (h, width, 3)."""
    parts = []
    for number, frame in enumerate(frames):
        if number:
            parts.append(np.full((frame.shape[0], GAP, 3), 255, dtype=np.uint8))
        parts.append(frame)
    return np.concatenate(parts, axis=1)


def choose_queries(ranking: Ranking, count: int, how: str = "random", seed: int = 0) -> list[int]:
    """Places of queries that have a match: "random", or "worst" or "best" by average precision.

    Raises:
        DataError: another way, or no query has a match.
    """
    valid = np.flatnonzero(ranking.valid)
    if not len(valid):
        raise DataError(f"No query of {ranking.direction.name} has a match in {ranking.run.file}.")
    if how == "random":
        rows = np.random.default_rng(seed).permutation(valid)[:count]
    elif how in ("worst", "best"):
        precision = ranking.average_precision()[valid]
        rows = valid[np.argsort(precision if how == "worst" else -precision, kind="stable")[:count]]
    else:
        raise DataError(f"Queries are chosen random, worst or best, not {how!r}.")
    return [int(ranking.query[row]) for row in rows]
