"""A figure of search results: film strips of each query and its candidates."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opengait.data.frame_picker import uniform
from opengait.data.frames import ImageFrames
from opengait_ext.runs.figures.ranked_lists import film_strip
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure
from opengait_ext.search.descriptors import Descriptors
from opengait_ext.search.inputs import Clip, pictures_in
from opengait_ext.search.matching import QueryResult


def draw_answers(
    results: Sequence[QueryResult], queries: Sequence[Clip], gallery: Descriptors, size: tuple[int, int], strip: int = 3
) -> Figure:
    """Draw one row per query: its frames, then those of its candidates; tracks of videos show their name only.

    Args:
        results: results of `search`.
        queries: the clips of the queries.
        gallery: the descriptors that were searched.
        size: (height, width) of the frames drawn.
        strip: frames per tracklet.
    """
    columns = 1 + max(len(result.candidates) for result in results)
    with rc_context(SETTINGS | {"axes.grid": False}):
        figure = new_figure(1.2 * columns + 0.4, 1.25 * len(results) + 0.2)
        grid = figure.subplots(len(results), columns, squeeze=False)
        for cells, result, clip in zip(grid, results, queries, strict=True):
            _draw(cells[0], clip.source[uniform(len(clip.source), strip)], "#000000")
            verdict = {True: "match", False: "no match", None: ""}[result.somebody]
            cells[0].set_title(f"query {_short(result.query)}\n{verdict}", fontsize=6)
            for axes in cells[1:]:
                axes.axis("off")
            for axes, candidate in zip(cells[1:], result.candidates, strict=False):
                folder = str(gallery.folders[candidate.place])
                chance = "" if candidate.p_value is None else f", p {candidate.p_value:.2g}"
                axes.set_title(f"{_short(candidate.name)}\n{candidate.distance:.3f}{chance}", fontsize=6)
                files = pictures_in(Path(folder)) if folder and Path(folder).is_dir() else []
                if files:
                    axes.axis("on")
                    _draw(axes, ImageFrames(files, size)[uniform(len(files), strip)], PALETTE[0])
    return figure


def _short(name: str) -> str:
    """Return the last three folders of a tracklet's name, which fit above its strip."""
    return "/".join(Path(name).parts[-3:])


def _draw(axes: Axes, frames: np.ndarray, colour: str) -> None:
    axes.imshow(film_strip(frames.transpose(0, 2, 3, 1)), interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=1.5)
