"""Every query of both directions with its nearest answers, as data for the list on the page.

    {"tracklets": [[person, camera, track, modality, picture], ...],
     "directions": [{"title": "infrared to visible",
                     "queries": [[tracklet, AP, first hit, [[tracklet, distance, is right], ...], missed], ...]}, ...]}

Tracklets are numbered; a picture is a URL or "". AP is null and the first hit 0 for a query without a match. `missed`
is [tracklet, rank, distance] of the nearest right answer if the first answer is wrong, else null.
"""

from typing import Any

import numpy as np

from opengait.utils.text import one_line
from opengait_ext.data.tracklet import parse_view
from opengait_ext.runs.figures.ranked_lists import film_strip
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.report.html import Section, data, jpeg, note, part
from opengait_ext.runs.report.subject import Subject

# Answers shown for each query, and frames in the picture of a tracklet.
ANSWERS, FRAMES = 5, 3


def queries_section(subject: Subject) -> Section:
    """Return the list of all queries, which a script fills page by page."""
    directions = [
        {"title": ranking.direction.title, "queries": [_query(ranking, row) for row in range(len(ranking.query))]}
        for ranking in subject.rankings
    ]
    remark = note(
        "Every query with its nearest answers, the right ones in green and the wrong ones in red with a dashed frame. "
        "If the first answer is wrong, the nearest right one is shown beside."
    )
    content = data({"tracklets": _tracklets(subject), "directions": directions})
    return Section("queries", "All queries", remark + part("queries.html", {"data": content}))


def missed_answer(ranking: Ranking, row: int) -> tuple[int, int, float] | None:
    """Return tracklet, rank and distance of the nearest right answer.

    None if the first answer is right, or no answer is.
    """
    first = int(ranking.metrics.first_hit[row])
    if first <= 1:
        return None
    column = ranking.order(row)[first - 1]
    return int(ranking.gallery[column]), first, float(ranking.distance[row, column])


def _query(ranking: Ranking, row: int) -> list[Any]:
    hits, answers = ranking.hits(row), []
    for rank, column in enumerate(ranking.order(row)[:ANSWERS]):
        if ranking.removed[row, column]:
            break
        answers.append([int(ranking.gallery[column]), _short(ranking.distance[row, column]), int(hits[rank])])
    missed = missed_answer(ranking, row)
    return [
        int(ranking.query[row]),
        _short(ranking.metrics.ap[row]) if ranking.valid[row] else None,
        int(ranking.metrics.first_hit[row]),
        answers,
        None if missed is None else [*missed[:2], _short(missed[2])],
    ]


def _short(number: float) -> float:
    return round(float(number), 4)


def _tracklets(subject: Subject) -> list[list[Any]]:
    features = subject.run.features
    used = np.zeros(len(features), dtype=bool)
    for ranking in subject.rankings:
        used[ranking.query] = used[ranking.gallery] = True
    entries: list[list[Any]] = []
    for index, view in enumerate(features.views):
        frames = subject.look(index, FRAMES) if used[index] else None
        address = "" if frames is None else jpeg(film_strip(frames))
        camera = int(parse_view(view).camera)
        person, track, modality = (
            one_line(str(text)) for text in (features.labels[index], view, features.types[index])
        )
        entries.append([person, camera, track, modality, address])
    return entries
