"""Sections with frames: ranked lists, the worst queries, silhouettes, and the inside of the network."""

import io
from collections.abc import Sequence

import numpy as np

from opengait.errors import ConfigError
from opengait_ext.runs.figures.inside import DRAWINGS
from opengait_ext.runs.figures.network import look_at, see
from opengait_ext.runs.figures.people import Seen, choose_people
from opengait_ext.runs.figures.ranked_lists import Frames, choose_queries, draw_ranked_lists, film_strip, row_of
from opengait_ext.runs.figures.silhouettes import draw_silhouettes
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.report.html import Cell, Section, animation, escape, figure, jpeg, note, strip, table
from opengait_ext.runs.report.queries import missed_answer
from opengait_ext.runs.report.subject import Subject
from opengait_ext.runs.silhouettes.image_files import write_gif

# Frames per tracklet and gallery tracklets per query in the table of the worst queries.
WORST_FRAMES, WORST_GALLERY = 2, 4
# Grey level of frames that cannot be read.
MISSING = 200
# Frames of each person in the animations, in the figures of the network's inside, and in Figures 1 and 3.
ANIMATED_FRAMES, INSIDE_FRAMES, STILL_FRAMES = 12, 6, 3
CAPTIONS = {
    "attention": "Weight of E_g against E_a in the enriched silhouette.",
    "channels": "Use of the channels of E_g (L_div, Eq. 8).",
    "steps": "Change of the global feature in each LGE step (Eq. 11-16).",
}


def lists_section(subject: Subject, count: int) -> Section:
    """Return Figure 5 for random queries."""
    title = "Ranked lists"
    if subject.frames is None:
        return Section("lists", title, note("There are no frames to show."))
    parts = []
    for ranking in subject.rankings:
        if not ranking.valid.any():
            parts.append(note(f"No query has a match, {ranking.direction.title}."))
            continue
        queries = choose_queries(ranking, count, "random", subject.seed)
        lists = draw_ranked_lists(subject.runs, ranking.direction.name, queries, _frames_or_grey(subject))
        caption = f"Random queries, {ranking.direction.title}: correct in green, wrong in red with a dashed frame"
        parts.append(figure(lists, f"{caption} (the paper's Figure 5)."))
    return Section("lists", title, "".join(parts))


def _frames_or_grey(subject: Subject) -> Frames:
    """Return a function like `RunFrames` that gives grey frames where they cannot be read."""
    shape: list[tuple[int, ...]] = []

    def frames(tracklet: int, count: int) -> np.ndarray:
        pictures = subject.look(tracklet, count)
        if pictures is not None:
            return pictures
        if not shape:
            readable = (subject.look(index, 1) for index in range(len(subject.run.features)))
            shape.append(next(one.shape[1:] for one in readable if one is not None))
        return np.full((count, *shape[0]), MISSING, dtype=np.uint8)

    return frames


def worst_section(subject: Subject, count: int) -> Section:
    """Return the queries of the lowest average precision with their nearest answers, and the right ones they missed."""
    parts = []
    heads = ["person", "view", "AP, %", "first match at rank", "query", "nearest first", "missed right answer"]
    features = subject.run.features
    for ranking in subject.rankings:
        rows = []
        for query in choose_queries(ranking, count, "worst") if ranking.valid.any() else ():
            row = row_of(ranking, query)
            nearest = float(ranking.distance[row, ranking.order(row)[0]])
            missed = missed_answer(ranking, row)
            right = "" if missed is None else _strip(subject, missed[0], f"{missed[1]}. \u2713", "correct")
            rows.append(
                [
                    str(features.labels[query]),
                    str(features.views[query]),
                    100 * ranking.metrics.ap[row],
                    int(ranking.metrics.first_hit[row]),
                    Cell(_strip(subject, query, "query", ""), query, left=True),
                    Cell(_row(_answers(subject, ranking, row)), nearest, left=True),
                    Cell(right, missed[2] if missed else 0.0, left=True),
                ]
            )
        parts.append(f"<h3>{escape(ranking.direction.title)}</h3>" + table(heads, rows))
    return Section("worst", "Worst queries", "".join(parts))


def _answers(subject: Subject, ranking: Ranking, row: int) -> list[str]:
    strips, hits = [], ranking.hits(row)
    for rank, column in enumerate(ranking.order(row)[:WORST_GALLERY]):
        if not ranking.removed[row, column]:
            kind, mark = ("correct", "\u2713") if hits[rank] else ("wrong", "\u2717")
            strips.append(_strip(subject, int(ranking.gallery[column]), f"{rank + 1}. {mark}", kind))
    return strips


def _strip(subject: Subject, tracklet: int, mark: str, kind: str) -> str:
    frames = subject.look(tracklet, WORST_FRAMES)
    address = "" if frames is None else jpeg(film_strip(frames))
    return strip(address, f"{mark} {subject.run.features.labels[tracklet]}", kind)


def _row(strips: Sequence[str]) -> str:
    return f'<div class="row">{"".join(strips)}</div>'


def network_sections(subject: Subject, count: int, people: Sequence[str] | None) -> list[Section]:
    """Return the silhouettes of chosen people, still and animated, and figures of the network's inside."""
    chosen, frames = choose_people(subject.run, count, people), subject.frames
    chosen = [shown for shown in chosen if subject.look(shown.place, ANIMATED_FRAMES) is not None]
    if frames is None or not chosen or (subject.network is None and not frames.are_silhouettes):
        return []
    seen = see(subject.network, frames, chosen, ANIMATED_FRAMES)
    caption = "These are the model's inputs."
    if subject.network is not None:
        caption = f"From left to right: {', '.join(seen[0].rows)}; one projection to colours for all tracklets."
    still = figure(
        draw_silhouettes([one.fewer(STILL_FRAMES) for one in seen]), "Silhouettes (the paper's Figures 1 and 3)."
    )
    moving = "".join(animation(_gif(one), one.shown.title) for one in seen)
    remark = note(caption)
    silhouettes = Section("silhouettes", "Silhouettes", f'{still}{remark}<div class="people">{moving}</div>')
    return [silhouettes, *_inside_sections(subject, [one.fewer(INSIDE_FRAMES) for one in seen])]


def _inside_sections(subject: Subject, seen: list[Seen]) -> list[Section]:
    if subject.network is None:
        return []
    try:
        inside = look_at(subject.network, seen)
    except ConfigError as error:
        subject.remarks.append(f"The inside of the network cannot be shown: {error}")
        return []
    parts = []
    for kind, draw in DRAWINGS.items():
        try:
            parts.append(figure(draw(inside, seen), CAPTIONS[kind]))
        except ConfigError as error:
            # Ablations lack some of these parts.
            parts.append(note(str(error)))
    return [Section("inside", "Inside SASGL and PBMGE", "".join(parts))]


def _gif(seen: Seen) -> bytes:
    buffer = io.BytesIO()
    write_gif(buffer, np.concatenate(list(seen.rows.values()), axis=2))
    return buffer.getvalue()
