"""Sections that need no frames: results, curves, distances, breakdowns, the embedding map and the protocol card."""

from html import escape

import numpy as np

from opengait.utils.yaml_text import write_yaml
from opengait_ext.evaluation.protocol import CROSS_MODAL
from opengait_ext.runs.compare.outcome import read_curves
from opengait_ext.runs.figures.curves import draw_cmc, draw_distances, gap_of
from opengait_ext.runs.figures.embedding import draw_embedding_map
from opengait_ext.runs.report import breakdown, silhouettes, training
from opengait_ext.runs.report.html import Cell, Section, figure, note, table
from opengait_ext.runs.report.subject import Subject
from opengait_ext.runs.tested_run import Ranking, TestedRun

RESULT_KEYS = ("rank1", "rank5", "rank10", "rank20", "map", "minp")
RESULT_HEADS = ("Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP")
# A mask for each query costs a pass through the network; beyond this many, a random choice of them is measured.
AREAS = 300


def results_section(subject: Subject) -> Section:
    """Numbers of every direction and population, with their 95% intervals, and CMC curves."""
    rows = [row for run in subject.runs for row in _result_rows(run)]
    heads = ["percent", *RESULT_HEADS, "guessing", "queries", "gallery"]
    told = subject.run.card["intervals"]
    how = ", ".join(str(value) if key == "note" else f"{key} {value}" for key, value in told.items())
    remark = note(f"In brackets: 95% intervals by bootstrap ({how}).")
    drawn = figure(draw_cmc(subject.runs, [direction.name for direction in CROSS_MODAL]), "CMC curves.")
    return Section("results", "Results", table(heads, rows) + remark + drawn)


def _result_rows(run: TestedRun) -> list[list[object]]:
    rows = []
    for place, population in enumerate(run.card["populations"]):
        results, intervals = (run.content.get(key) or {} for key in ("results", "intervals"))
        if place:
            results, intervals = results[population], intervals.get(population) or {}
        for direction in run.protocol.directions:
            found, spread = results[direction.name], intervals.get(direction.name) or {}
            named = f"{run.name}: {direction.title}" + (f" ({population})" if len(run.card["populations"]) > 1 else "")
            cells = [_result_cell(found[key], spread.get(key)) for key in RESULT_KEYS]
            rows.append([named, *cells, 100 * found["chance_rank1"], found["valid_queries"], found["gallery"]])
    return rows


def _result_cell(value: float, interval: list[float] | None) -> Cell:
    text = f"{100 * value:.1f}"
    if interval:
        text += f" <br><small>[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]</small>"
    return Cell(text, 100 * value)


def training_sections(subject: Subject) -> list[Section]:
    """Curves of each run's training, if it left any."""
    parts = []
    for run in subject.runs:
        curves = read_curves(run.folder)
        if curves:
            parts.append(figure(training.draw_curves(curves), f"What the training of {run.name} logged."))
    return [Section("training", "Training", "".join(parts))] if parts else []


def distances_section(subject: Subject) -> Section:
    """Figure 6, both ways."""
    parts, rows = [], []
    # Without lists of their own, queries and gallery swap places: the pairs of both directions are the same.
    directions = CROSS_MODAL if subject.run.protocol.separate_lists else CROSS_MODAL[:1]
    for direction in directions:
        told = direction.title if len(directions) > 1 else "which are the same in both directions"
        caption = f"Distances of matching and of other pairs, {told}; lines are the means (the paper's Figure 6)."
        parts.append(figure(draw_distances(subject.runs, direction.name), caption))
    for run in subject.runs:
        for ranking in subject.rankings if run is subject.run else [Ranking(run, d) for d in CROSS_MODAL]:
            gap = gap_of(ranking)
            # Networks differ in the scale of their distances, so digits are counted from the first that is not zero.
            numbers = [Cell(f"{value:.3g}", value) for value in (gap.matching, gap.other, gap.delta / gap.other)]
            rows.append([f"{run.name}: {ranking.direction.title}", *numbers])
    heads = ["mean distances", "same person", "others", "gap / others"]
    return Section("distances", "Distances", f'<div class="pair">{"".join(parts)}</div>' + table(heads, rows))


def breakdown_section(subject: Subject) -> Section:
    """Numbers by camera pair, tracklet length and silhouette area."""
    parts = []
    for ranking in subject.rankings:
        parts.append(f"<h3>{escape(ranking.direction.title)}</h3>")
        heads = ["query camera to gallery camera", *breakdown.HEADS]
        pairs = table(heads, [row for row in breakdown.by_camera_pair(ranking) if row[1]])
        tables = []
        if subject.frames is not None:
            lengths = subject.frames.lengths()
            tables.append(table(["frames of the query", *breakdown.HEADS], breakdown.by_value(ranking, lengths)))
        if subject.network is not None:
            measured = np.random.default_rng(subject.seed).permutation(ranking.query)[:AREAS]
            areas = silhouettes.areas_of(subject.network, subject.frames, measured, len(subject.run.features))
            heads = ["silhouette, % of the frame", *breakdown.HEADS]
            tables.append(table(heads, breakdown.by_value(ranking, areas.round(1))))
        parts.append(f'<div class="tables">{pairs}<div>{"".join(tables)}</div></div>')
    remark = note(
        "A camera pair is ranked among that gallery camera's tracklets alone; pairs without a match are left out. "
        "Lengths and areas are in groups of about as many queries."
    )
    return Section("breakdown", "Where it is good and where not", remark + "".join(parts))


def map_section(subject: Subject) -> Section:
    """The embedding map."""
    drawn = draw_embedding_map(subject.runs)
    return Section("map", "Embedding map", figure(drawn, "Colour: the person. Shape: the modality."))


def card_section(subject: Subject) -> Section:
    """The protocol card of each run, whole."""
    cards = [
        f"<details{' open' if run is subject.run else ''}><summary>{escape(run.name)}</summary>"
        f"<pre>{escape(write_yaml(run.card))}</pre></details>"
        for run in subject.runs
    ]
    return Section("card", "Protocol card", "".join(cards))
