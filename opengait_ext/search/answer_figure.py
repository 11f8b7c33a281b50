"""A figure of search results: film strips of each query and its candidates."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from opengait.data.frame_picker import uniform
from opengait.data.frames import FrameSource
from opengait.errors import DataError
from opengait_ext.runs.figures.ranked_lists import film_strip
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure
from opengait_ext.runs.silhouettes.panels import as_pictures
from opengait_ext.search.inputs import Clip, Pictures, Prepared
from opengait_ext.search.matching import QueryResult, Searchable


def draw_answers(
    results: Sequence[QueryResult],
    queries: Sequence[Clip],
    gallery: Searchable,
    kind: Pictures | Prepared,
    strip: int = 3,
) -> Figure:
    """Draw one row per query: its frames, then those of its candidates; missing pictures are shown by name only.

    Args:
        results: results of `search`.
        queries: the clips of the queries.
        gallery: the descriptors that were searched.
        kind: what the model takes, by which the frames are read.
        strip: frames per tracklet.
    """
    columns = 1 + max(len(result.candidates) for result in results)
    with rc_context(SETTINGS | {"axes.grid": False}):
        figure = new_figure(1.2 * columns + 0.4, 1.25 * len(results) + 0.2)
        grid = figure.subplots(len(results), columns, squeeze=False)
        for cells, result, clip in zip(grid, results, queries, strict=True):
            for axes in cells:
                axes.axis("off")
            _draw(cells[0], [clip.frames], strip, "#000000")
            verdict = {True: "match", False: "no match", None: ""}[result.somebody]
            cells[0].set_title(f"query {_short(result.query)}\n{verdict}", fontsize=6)
            for axes, candidate in zip(cells[1:], result.candidates, strict=False):
                record = gallery.tracklet(candidate.place)[2]
                chance = "" if candidate.p_value is None else f", p {candidate.p_value:.2g}"
                axes.set_title(f"{_short(candidate.name)}\n{candidate.distance:.3f}{chance}", fontsize=6)
                sources = () if record.track else frames_in(record.source, kind)
                _draw(axes, sources, strip, PALETTE[0])
                if not sources and record.thumbnail:
                    _show(axes, np.asarray(Image.open(io.BytesIO(record.thumbnail)).convert("RGB")), PALETTE[0])
    return figure


def _short(name: str) -> str:
    """Return the last three folders of a tracklet's name, which fit above its strip."""
    return "/".join(Path(name).parts[-3:])


def frames_in(folder: str, kind: Pictures | Prepared) -> tuple[FrameSource, ...]:
    """Return the frames in a folder that a gallery names; none if it is not there, as on another machine."""
    try:
        return kind.sources(Path(folder))[:1] if folder else ()
    except (OSError, ValueError, DataError):
        return ()


def _draw(axes: Axes, sources: Sequence[FrameSource], strip: int, colour: str) -> None:
    try:
        pictures = [as_pictures(source[uniform(len(source), strip)], str(source)) for source in sources]
    except DataError:
        return
    for picture in pictures:
        _show(axes, film_strip(picture), colour)


def _show(axes: Axes, picture: np.ndarray, colour: str) -> None:
    axes.axis("on")
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=1.5)
