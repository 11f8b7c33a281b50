"""The comparison as Markdown and as JSON."""

from collections.abc import Sequence
from typing import Any

from opengait_ext.evaluation.table import HEADS, SPREAD
from opengait_ext.runs.compare.groups import Group, short
from opengait_ext.runs.compare.rows import Row
from opengait_ext.runs.results import DIRECTIONS, KEYS

_FACTS = ("Method", "Source", "Type", "Frames", "Protocol", "Data")
_ARROWS = {"infrared_to_visible": "IR→VIS", "visible_to_infrared": "VIS→IR"}


def as_markdown(groups: Sequence[Group]) -> str:
    """Return one table per group below its sentence, in percent, with the best of each column in bold.

    Measured rows show the 95% interval of Rank-1 and mAP in brackets.
    """
    return "\n\n".join(_section(group) for group in groups) + "\n"


def as_json(groups: Sequence[Group]) -> dict[str, Any]:
    """Return the groups as JSON data: percent as numbers, null where nothing was reported."""
    return {
        "unit": "percent",
        "groups": [
            {
                "title": group.title,
                "sentence": group.sentence,
                "remarks": list(group.remarks),
                "rows": [_record(row) for row in group.rows],
            }
            for group in groups
        ],
    }


def _section(group: Group) -> str:
    heads = [*_FACTS, *(f"{_ARROWS[name]} {HEADS[key]}" for name in DIRECTIONS for key in KEYS)]
    notes: list[str] = []
    lines = [_line(heads), _line(["---"] * len(_FACTS) + ["---:"] * (len(heads) - len(_FACTS)))]
    best = _best(group.rows)
    for row in group.rows:
        numbers = [_cell(row, name, key, best.get((name, key))) for name in DIRECTIONS for key in KEYS]
        lines.append(_line([*_facts(row, notes), *numbers]))
    text = [f"### {group.title}", "", group.sentence, "", *lines]
    footer = [f"{number}. {note}" for number, note in enumerate(notes, start=1)]
    footer += [f"- {note}" for note in group.remarks]
    return "\n".join(text + ([""] + footer if footer else []))


def _facts(row: Row, notes: list[str]) -> list[str]:
    """Return the cells before the numbers; append new notes to `notes`."""
    marks = []
    for note in row.notes:
        if note not in notes:
            notes.append(note)
        marks.append(f"({notes.index(note) + 1})")
    method = " ".join([row.method, *marks])
    source = f"{row.source}: {row.reference}" if row.measured else f"{row.source}; {row.reference}"
    return [method, source, row.kind, row.frames, row.conditions.protocol_text, short(row.conditions)]


def _cell(row: Row, direction: str, key: str, best: float | None) -> str:
    value = row.numbers[direction].get(key)
    if value is None:
        return "-"
    # Published numbers have the digits that were printed, one or two; a zero at the end of two is not known.
    text = f"{value:.2f}" if row.measured or round(value, 1) != value else f"{value:.1f}"
    text = f"**{text}**" if value == best else text
    spread = row.intervals.get(direction, {}).get(key) if key in SPREAD else None
    return text if spread is None else f"{text} [{spread[0]:.1f}, {spread[1]:.1f}]"


def _best(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """Return the highest number of each column that at least two rows report."""
    best = {}
    for name in DIRECTIONS:
        for key in KEYS:
            values = [value for row in rows if (value := row.numbers[name].get(key)) is not None]
            if len(values) > 1:
                best[name, key] = max(values)
    return best


def _record(row: Row) -> dict[str, Any]:
    conditions = row.conditions
    return {
        "method": row.method,
        "measured": row.measured,
        "source": row.source,
        "reference": row.reference,
        "type": row.kind,
        "frames": row.frames,
        "dataset": conditions.dataset,
        "protocol": conditions.protocol,
        "deviations": list(conditions.deviations),
        "population": conditions.population,
        "counts": None if conditions.counts is None else {k: dict(conditions.counts[k]) for k in DIRECTIONS},
        "trained_on": conditions.trained_on,
        "fingerprint": conditions.fingerprint if row.measured and conditions.protocol else None,
        "numbers": {name: dict(row.numbers[name]) for name in DIRECTIONS},
        "intervals": {name: {key: list(pair) for key, pair in keys.items()} for name, keys in row.intervals.items()},
        "notes": list(row.notes),
    }


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
