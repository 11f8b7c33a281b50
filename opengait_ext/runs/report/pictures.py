"""Sections made of frames: ranked lists, the worst queries, silhouettes, and a look inside the network."""

from collections.abc import Sequence
from html import escape

from opengait.errors import ConfigError
from opengait_ext.runs.figures.inside import draw_attention, draw_channel_use, draw_lge_steps
from opengait_ext.runs.figures.network import look_at, see
from opengait_ext.runs.figures.people import Seen, choose_people
from opengait_ext.runs.figures.ranked_lists import choose_queries, draw_ranked_lists, film_strip, row_of
from opengait_ext.runs.figures.silhouettes import draw_silhouettes
from opengait_ext.runs.report import silhouettes
from opengait_ext.runs.report.html import Cell, Section, animation, figure, note, picture, table
from opengait_ext.runs.report.subject import Subject
from opengait_ext.runs.tested_run import Ranking

WORST_STRIP, WORST_FOUND = 2, 4
# Frames of each person that the network is looked into with, and that Figures 1 and 3 show.
LOOKED, SHOWN = 6, 3


def lists_section(subject: Subject, count: int) -> Section:
    """Figure 5: random queries."""
    if subject.frames is None:
        return Section("lists", "Ranked lists", note("There are no frames to show."))
    parts = []
    for ranking in subject.rankings:
        chosen = choose_queries(ranking, count, "random", subject.seed)
        drawn = draw_ranked_lists(subject.runs, ranking.direction.name, chosen, subject.frames)
        caption = f"Random queries, {ranking.direction.title}: right in green, wrong in red and dashed."
        parts.append(figure(drawn, caption))
    return Section("lists", "Ranked lists", "".join(parts))


def worst_section(subject: Subject, count: int) -> Section:
    """Queries of the lowest average precision, and what was found instead."""
    parts = []
    heads = ["person", "view", "AP, %", "first match at", "query", "nearest first"]
    for ranking in subject.rankings:
        precision, first = ranking.average_precision(), ranking.first_hit()
        rows = []
        for query in choose_queries(ranking, count, "worst"):
            row = row_of(ranking, query)
            nearest = float(ranking.distance[row, ranking.order[row, 0]])
            rows.append(
                [
                    str(subject.run.features.labels[query]),
                    str(subject.run.features.views[query]),
                    100 * precision[row],
                    int(first[row]),
                    Cell(_strip(subject, query, "the query", ""), query, left=True),
                    Cell("".join(_found(subject, ranking, row)), nearest, left=True),
                ]
            )
        parts.append(f"<h3>{escape(ranking.direction.title)}</h3>" + table(heads, rows))
    return Section("worst", "Worst queries", "".join(parts))


def _found(subject: Subject, ranking: Ranking, row: int) -> list[str]:
    shown = []
    for place, column in enumerate(ranking.order[row, :WORST_FOUND]):
        if ranking.removed[row, column]:
            continue
        tracklet = int(ranking.gallery[column])
        kind, mark = ("right", "\u2713") if ranking.hits[row, place] else ("wrong", "\u2717")
        label = escape(str(subject.run.features.labels[tracklet]))
        strip = _strip(subject, tracklet, f"{label}, {kind}", kind)
        shown.append(f'<span class="found">{strip}<small>{mark} {label}</small></span>')
    return shown


def _strip(subject: Subject, tracklet: int, text: str, kind: str) -> str:
    if subject.frames is None:
        return ""
    return picture(film_strip(subject.frames(tracklet, WORST_STRIP)), text, kind=kind)


def network_sections(subject: Subject, count: int, people: Sequence[str] | None) -> list[Section]:
    """What the network sees of chosen people, still and moving, and what happens inside it."""
    chosen = choose_people(subject.run, count, people)
    if subject.network is None or subject.frames is None or not chosen:
        return []
    seen = see(subject.network, subject.frames, chosen, silhouettes.ANIMATED_FRAMES)
    still = figure(draw_silhouettes([_fewer(one, SHOWN) for one in seen]), "As in the paper's Figures 1 and 3.")
    moving = "".join(animation(silhouettes.animate(one), one.shown.title) for one in seen)
    remark = note("Frame, mask (Eq. 4), both, and the enriched silhouette (Eq. 6) in the colours of one projection.")
    shown = Section("silhouettes", "Silhouettes", f'{still}{remark}<div class="people">{moving}</div>')
    return [shown, *_inside_sections(subject, [_fewer(one, LOOKED) for one in seen])]


def _inside_sections(subject: Subject, seen: list[Seen]) -> list[Section]:
    inside = look_at(subject.network, seen)
    drawings = (
        (lambda: draw_attention(inside, seen), "Where the enriched silhouette is made of E_g, and where of E_a."),
        (lambda: draw_channel_use(inside, seen), "How evenly the channels of E_g are used (L_div, Eq. 8)."),
        (lambda: draw_lge_steps(inside), "What each LGE step changes of the global feature (Eq. 11-16)."),
    )
    parts = []
    for draw, caption in drawings:
        try:
            parts.append(figure(draw(), caption))
        except ConfigError as error:
            # An ablation has not all of these parts.
            parts.append(note(str(error)))
    return [Section("inside", "Inside the network", "".join(parts))]


def _fewer(seen: Seen, count: int) -> Seen:
    step = max(1, len(seen.frames) // count)
    places = slice(0, step * count, step)
    return Seen(seen.shown, seen.frames[places], seen.masks[places], seen.enriched[places])
