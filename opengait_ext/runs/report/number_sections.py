"""Sections without frames: results, training, distances, breakdown, embedding map and protocol card."""

import numpy as np

from opengait.errors import DataError
from opengait.utils.yaml_text import write_yaml
from opengait_ext.evaluation.open_set import RATES
from opengait_ext.evaluation.protocol import CROSS_MODAL
from opengait_ext.evaluation.table import HEADS
from opengait_ext.runs.compare.outcome import read_curves
from opengait_ext.runs.figures.curves import draw_cmc, draw_distances, gap_of
from opengait_ext.runs.figures.det import LEVEL, draw_det, open_set_of
from opengait_ext.runs.figures.embedding import draw_embedding_map
from opengait_ext.runs.figures.training_curves import draw_training_curves
from opengait_ext.runs.report import breakdown
from opengait_ext.runs.report.html import Cell, Section, escape, figure, note, table
from opengait_ext.runs.report.subject import Subject
from opengait_ext.runs.results import DIRECTIONS, KEYS
from opengait_ext.runs.tested_run import TestedRun

# Each query costs a forward pass for its silhouette area; of more queries, a random choice is measured.
MEASURED_AREAS = 300


def results_section(subject: Subject) -> Section:
    """Return results of every direction and population with 95% intervals, and CMC curves."""
    rows = [row for run in subject.runs for row in _result_rows(run)]
    heads = ["percent", *(HEADS[key] for key in KEYS), "chance Rank-1", "queries", "gallery"]
    facts = subject.run.card["intervals"]
    bootstrap = ", ".join(str(value) if key == "note" else f"{key} {value}" for key, value in facts.items())
    remark = note(f"Brackets: 95% bootstrap intervals ({bootstrap}).")
    cmc = figure(draw_cmc(subject.runs, DIRECTIONS), "CMC curves.")
    return Section("results", "Results", table(heads, rows) + remark + cmc)


def _result_rows(run: TestedRun) -> list[list[object]]:
    rows = []
    for population, results, intervals in run.populations():
        suffix = f" ({population})" if len(run.card["populations"]) > 1 else ""
        for direction in run.protocol.directions:
            numbers, spread = results[direction.name], intervals.get(direction.name) or {}
            cells = [_result_cell(numbers[key], spread.get(key)) for key in KEYS]
            counts = [numbers["valid_queries"], numbers["gallery"]]
            rows.append([f"{run.name}: {direction.title}{suffix}", *cells, 100 * numbers["chance_rank1"], *counts])
    return rows


def _result_cell(value: float, interval: list[float] | None) -> Cell:
    text = f"{100 * value:.1f}"
    if interval:
        text += f" <br><small>[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]</small>"
    return Cell(text, 100 * value)


def open_set_sections(subject: Subject) -> list[Section]:
    """Return DET curves and FNIR at some FPIRs, as one section or none."""
    rows: list[list[object]] = []
    try:
        drawn = figure(draw_det(subject.runs, DIRECTIONS), "DET curves with the operating points of vvi search.")
        for run in subject.runs:
            for direction in CROSS_MODAL:
                searches = open_set_of(run, direction).searches
                rates = [100 * rate for rate in searches.det()["fnir"]]
                counts = [int(searches.mated.sum()), int((~searches.mated).sum())]
                rows.append([f"{run.name}: {direction.title}", *rates, *counts])
    except DataError as error:
        subject.remarks.append(f"Open-set identification cannot be shown: {error}")
        return []
    remark = note(
        "A random half of the people is enrolled, all queries search, and 20 such draws are pooled. FPIR: share of the "
        "searches for people who are not enrolled that have a candidate within the threshold. FNIR: share of the "
        "searches for enrolled people whose nearest candidate is somebody else or beyond the threshold. Points: the "
        f"threshold that vvi search takes for an FPIR of {100 * LEVEL:g} %."
    )
    heads = ["FNIR, %", *(f"at FPIR {100 * rate:g} %" for rate in RATES), "enrolled", "not enrolled"]
    return [Section("open-set", "Open set", drawn + remark + table(heads, rows))]


def training_sections(subject: Subject) -> list[Section]:
    """Return the training curves of each run that has logs, as one section or none."""
    parts = []
    for run in subject.runs:
        curves = read_curves(run.folder)
        if curves:
            parts.append(figure(draw_training_curves(curves), f"Values logged during the training of {run.name}."))
        elif (run.folder / "summary").is_dir():
            parts.append(note(f"{run.name} has no training curves: its event files are damaged or without values."))
    return [Section("training", "Training", "".join(parts))] if parts else []


def distances_section(subject: Subject) -> Section:
    """Return Figure 6 in both directions."""
    parts, rows = [], []
    # Unless the protocol lists queries separately, both directions have the same pairs.
    directions = CROSS_MODAL if subject.run.protocol.separate_lists else CROSS_MODAL[:1]
    for direction in directions:
        pairs = direction.title if len(directions) > 1 else "the same in both directions"
        caption = f"Distances of matching and non-matching pairs, {pairs}; lines mark the means (the paper's Figure 6)."
        parts.append(figure(draw_distances(subject.runs, direction.name), caption))
    for run in subject.runs:
        for ranking in subject.rankings_of(run):
            gap = gap_of(ranking)
            # Significant digits, since networks differ in the scale of their distances.
            values = (gap.matching, gap.other, gap.relative)
            numbers = [Cell("-" if np.isnan(value) else f"{value:.3g}", value) for value in values]
            rows.append([f"{run.name}: {ranking.direction.title}", *numbers])
    heads = ["mean distance", "same person", "different people", "relative gap"]
    return Section("distances", "Distances", f'<div class="pair">{"".join(parts)}</div>' + table(heads, rows))


def breakdown_section(subject: Subject) -> Section:
    """Return results by camera pair, tracklet length and silhouette area."""
    parts = []
    for ranking in subject.rankings:
        pairs = [row for row in breakdown.by_camera_pair(ranking) if row[1]]
        tables = []
        if subject.frames is not None:
            rows = breakdown.by_value(ranking, subject.frames.lengths())
            tables.append(table(["frames of the query", *breakdown.HEADS], rows))
            if subject.network is not None:
                measured = np.random.default_rng(subject.seed).permutation(ranking.query)[:MEASURED_AREAS]
                total = len(subject.run.features)
                areas = breakdown.silhouette_areas(subject.network, subject.look, measured, total)
                rows = breakdown.by_value(ranking, areas.round(1))
                tables.append(table(["silhouette, % of the frame", *breakdown.HEADS], rows))
        parts.append(f"<h3>{escape(ranking.direction.title)}</h3>")
        camera_table = table(["query camera to gallery camera", *breakdown.HEADS], pairs)
        parts.append(f'<div class="tables">{camera_table}<div>{"".join(tables)}</div></div>')
    remark = note(
        "A camera pair is ranked among the tracklets of that gallery camera alone; pairs without a match are omitted. "
        "Lengths and areas are divided into groups of about equal size."
    )
    return Section("breakdown", "Breakdown", remark + "".join(parts))


def people_section(subject: Subject) -> Section:
    """Return the results of each person's queries in both directions; a person leads to the list of these queries."""
    tables = [breakdown.by_person(ranking) for ranking in subject.rankings]
    heads = ["person"]
    for ranking in subject.rankings:
        heads += [f"{ranking.direction.title}: queries", "Rank-1, %", "mAP, %", "mistaken for"]
    rows: list[list[object]] = []
    for person in sorted(set().union(*tables)):
        row: list[object] = [
            Cell(f'<a href="#queries" data-person="{escape(person)}">{escape(person)}</a>', person, True)
        ]
        for results in tables:
            row += results.get(person, (0, np.nan, np.nan, ""))
        rows.append(row)
    remark = note(
        '"Mistaken for": the most frequent wrong first answer, and in how many queries. A person leads to its queries.'
    )
    return Section("people", "People", remark + table(heads, rows, tall=True))


def map_section(subject: Subject) -> Section:
    """Return the embedding map."""
    caption = "Colours show people, shapes show modalities."
    return Section("map", "Embedding map", figure(draw_embedding_map(subject.runs), caption))


def card_section(subject: Subject) -> Section:
    """Return the complete protocol card of each run."""
    cards = [
        f"<details{' open' if run is subject.run else ''}><summary>{escape(run.name)}</summary>"
        f"<pre>{escape(write_yaml(run.card))}</pre></details>"
        for run in subject.runs
    ]
    return Section("card", "Protocol card", "".join(cards))
