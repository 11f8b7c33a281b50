"""The page, section by section."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from opengait.config_source import write_yaml
from opengait.errors import UserError
from opengait.utils.files import write_text
from opengait_ext.figures.curves import draw_cmc, draw_distances, gap_of
from opengait_ext.figures.embedding import draw_embedding_map
from opengait_ext.figures.frames import RunFrames
from opengait_ext.figures.ranked_lists import choose_queries, draw_ranked_lists, film_strip, row_of
from opengait_ext.figures.retrieval import Ranking, TestedRun, check_comparable, open_run
from opengait_ext.report import breakdown, silhouettes, training
from opengait_ext.report.html import Cell, Section, animation, figure, note, page, picture, table

RESULT_KEYS = ("rank1", "rank5", "rank10", "rank20", "map", "minp")
RESULT_HEADS = ("Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP")
WORST_STRIP, WORST_FOUND = 2, 4
# A mask for each query costs a pass through the network; beyond this many, a random choice of them is measured.
AREAS = 300


@dataclass
class Report:
    """What the sections are made from.

    Attributes:
        runs: the run, and the one that it is held against, if any.
        frames: of the run's tracklets, or None where the data is not here; `why` says so.
    """

    runs: list[TestedRun]
    frames: RunFrames | None
    why: str
    seed: int = 0

    @property
    def run(self) -> TestedRun:
        """The run that the page is about."""
        return self.runs[0]

    def rankings(self, run: TestedRun | None = None) -> list[Ranking]:
        """Both directions between the modalities."""
        run = run or self.run
        names = ("infrared_to_visible", "visible_to_infrared")
        return [Ranking(run, run.direction(name)) for name in names]


def build_report(
    run: str | Path,
    out: str | Path,
    against: str | Path | None = None,
    people: int = 4,
    queries: int = 4,
    worst: int = 12,
    overrides: Sequence[str] = (),
    seed: int = 0,
) -> Path:
    """Write `out`/index.html about a run's last test.

    Args:
        run: a run folder, or a test's JSON file, with saved features.
        out: folder to write into.
        against: another run on the same tracklets, drawn beside it.
        people: how many silhouettes are shown moving.
        queries: ranked lists a direction.
        worst: rows a direction in the table of failures.
        overrides: changes to the run's configuration, such as where the data is now.
        seed: of the random queries.

    Raises:
        DataError: there is no such test, it kept no features, or the two runs tested different tracklets.
    """
    runs = [open_run(run)] + ([open_run(against)] if against is not None else [])
    check_comparable(runs)
    if len(runs) == 2 and runs[0].name == runs[1].name:
        runs = [TestedRun(f"{r.folder.parent.name}/{r.name}", r.file, r.content, r.features) for r in runs]
    frames, why = None, ""
    try:
        frames = RunFrames(runs[0], tuple(overrides))
    except UserError as error:
        why = f"Frames cannot be shown: {error}"
    report = Report(runs, frames, why, seed)
    network = None if frames is None else silhouettes.network_of(runs[0], frames)
    sections = [
        results_section(report),
        *training_sections(report),
        distances_section(report),
        lists_section(report, queries),
        worst_section(report, worst),
        breakdown_section(report, network),
        map_section(report),
        *silhouette_sections(report, network, people),
        card_section(report),
    ]
    title = f"{runs[0].name} on {runs[0].content['dataset']}"
    about = f"Iteration {runs[0].content.get('iteration')}, {len(runs[0].features):,} tracklets, {runs[0].file.name}."
    if len(runs) == 2:
        about += f" Beside it: {runs[1].name}."
    file = Path(out) / "index.html"
    write_text(file, page(title, f"{about} {why}".strip(), sections))
    return file


def results_section(report: Report) -> Section:
    """Numbers of every direction, with the 95% intervals of Rank-1 and mAP."""
    rows = []
    for run in report.runs:
        for direction in run.protocol.directions:
            found = run.content["results"][direction.name]
            spread = (run.content.get("intervals") or {}).get(direction.name) or {}
            cells: list[object] = [f"{run.name}: {direction.title}"]
            for key in RESULT_KEYS:
                low_high = spread.get(key)
                text = f"{100 * found[key]:.1f}"
                if low_high:
                    text += f" <small>[{100 * low_high[0]:.1f}, {100 * low_high[1]:.1f}]</small>"
                cells.append(Cell(text, 100 * found[key]))
            rows.append([*cells, 100 * found["chance_rank1"], found["valid_queries"], found["gallery"]])
    heads = ["percent", *RESULT_HEADS, "guessing", "queries", "gallery"]
    told = report.run.card["intervals"]
    remark = note(f"In brackets: 95% intervals by bootstrap ({', '.join(f'{k} {v}' for k, v in told.items())}).")
    drawn = figure(draw_cmc(report.runs, ["infrared_to_visible", "visible_to_infrared"]), "CMC curves.")
    return Section("results", "Results", table(heads, rows) + remark + drawn)


def training_sections(report: Report) -> list[Section]:
    """Curves of the run's training, if it left any."""
    curves = training.read_curves(report.run.folder)
    if not curves:
        return []
    return [Section("training", "Training", figure(training.draw_curves(curves), "What the training logged."))]


def distances_section(report: Report) -> Section:
    """Figure 6, both ways."""
    parts = []
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        caption = "Distances of matching and of other pairs (the paper's Figure 6); lines are the means."
        parts.append(figure(draw_distances(report.runs, direction), f"{direction.replace('_', ' ')}. {caption}"))
    rows = []
    for run in report.runs:
        for ranking in report.rankings(run):
            gap = gap_of(ranking)
            rows.append([f"{run.name}: {ranking.direction.title}", gap.matching, gap.other, gap.delta / gap.other])
    heads = ["mean distances", "same person", "others", "gap / others"]
    return Section("distances", "Distances", "".join(parts) + table(heads, rows))


def lists_section(report: Report, count: int) -> Section:
    """Figure 5: random queries."""
    if report.frames is None:
        return Section("lists", "Ranked lists", note(report.why))
    parts = []
    for ranking in report.rankings():
        chosen = choose_queries(ranking, count, "random", report.seed)
        drawn = draw_ranked_lists(report.runs, ranking.direction.name, chosen, report.frames)
        parts.append(figure(drawn, f"Random queries, {ranking.direction.title}: green is right, red is wrong."))
    return Section("lists", "Ranked lists", "".join(parts))


def worst_section(report: Report, count: int) -> Section:
    """Queries of the lowest average precision, and what was found instead."""
    parts = []
    for ranking in report.rankings():
        precision, first = ranking.average_precision(), ranking.first_hit()
        rows = []
        for query in choose_queries(ranking, count, "worst"):
            row = row_of(ranking, query)
            rows.append(
                [
                    str(report.run.features.labels[query]),
                    str(report.run.features.views[query]),
                    100 * precision[row],
                    int(first[row]),
                    _strip(report, query, "the query", ""),
                    Cell("".join(_found(report, ranking, row)), float(ranking.distance[row, ranking.order[row, 0]])),
                ]
            )
        heads = ["person", "view", "AP, %", "first match at", "query", "nearest first"]
        parts.append(f"<h3>{escape(ranking.direction.title)}</h3>" + table(heads, rows))
    return Section("worst", "Worst queries", "".join(parts))


def _found(report: Report, ranking: Ranking, row: int) -> list[str]:
    shown = []
    for place in range(min(WORST_FOUND, ranking.hits.shape[1])):
        tracklet = int(ranking.gallery[ranking.order[row, place]])
        right = bool(ranking.hits[row, place])
        label = report.run.features.labels[tracklet]
        kind = "right" if right else "wrong"
        strip = _strip(report, tracklet, f"{label}, {kind}", kind).html
        shown.append(f'<span style="display:inline-block">{strip}<small>{escape(str(label))}, {kind}</small></span> ')
    return shown


def _strip(report: Report, tracklet: int, text: str, kind: str) -> Cell:
    if report.frames is None:
        return Cell("-", tracklet)
    return Cell(picture(film_strip(report.frames(tracklet, WORST_STRIP)), text, kind=kind), tracklet)


def breakdown_section(report: Report, network: object | None) -> Section:
    """Numbers by camera pair, tracklet length and silhouette area."""
    parts = []
    for ranking in report.rankings():
        parts.append(f"<h3>{escape(ranking.direction.title)}</h3>")
        heads = ["query camera to gallery camera", *breakdown.HEADS]
        parts.append(table(heads, breakdown.by_camera_pair(ranking)))
        if report.frames is None:
            continue
        lengths = breakdown.lengths_of(report.frames.dataset.seqs_info)
        parts.append(table(["frames of the query", *breakdown.HEADS], breakdown.by_value(ranking, lengths)))
        if network is not None:
            measured = np.random.default_rng(report.seed).permutation(ranking.query)[:AREAS]
            areas = silhouettes.areas_of(network, report.frames, measured, len(report.run.features))
            heads = ["silhouette of the query, % of the frame", *breakdown.HEADS]
            parts.append(table(heads, breakdown.by_value(ranking, areas.round(1))))
    remark = note(
        "A camera pair is ranked among that gallery camera's tracklets alone; queries without a match there count not."
    )
    return Section("breakdown", "Where it is good and where not", remark + "".join(parts))


def map_section(report: Report) -> Section:
    """The embedding map."""
    drawn = draw_embedding_map(report.run)
    return Section("map", "Embedding map", figure(drawn, "Colour: the person. Shape: the modality."))


def silhouette_sections(report: Report, network: object | None, count: int) -> list[Section]:
    """Silhouettes of chosen people, moving."""
    if network is None or report.frames is None or not count:
        return []
    parts = []
    for label, tracklets in silhouettes.choose_people(report.run, count):
        for tracklet in tracklets:
            caption = f"{label}, {report.run.features.types[tracklet]}"
            parts.append(animation(silhouettes.animate(network, report.frames, tracklet), caption))
    content = note("Frame, mask (Eq. 4), and both.") + f'<div class="people">{"".join(parts)}</div>'
    return [Section("silhouettes", "Silhouettes", content)]


def card_section(report: Report) -> Section:
    """The protocol card of each run, whole."""
    cards = [
        f"<details{' open' if run is report.run else ''}><summary>{escape(run.name)}</summary>"
        f"<pre>{escape(write_yaml(run.card))}</pre></details>"
        for run in report.runs
    ]
    return Section("card", "Protocol card", "".join(cards))
