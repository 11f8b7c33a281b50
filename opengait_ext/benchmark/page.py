"""The benchmark as Markdown, HTML and JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from opengait_ext.benchmark.plan import DATA
from opengait_ext.benchmark.results import Benchmark, MeasuredMethod
from opengait_ext.benchmark.scores import KEYS
from opengait_ext.benchmark.tables import parts_of
from opengait_ext.evaluation.bootstrap import SeedMeans
from opengait_ext.runs.report.html import Cell, Section, escape, note, page, table


def as_markdown(benchmark: Benchmark) -> str:
    """Return the page as Markdown."""
    lines = [f"# {_title(benchmark)}"]
    for part in parts_of(benchmark):
        lines += ["", f"## {part.title}", ""]
        if part.rows:
            lines += [_line(part.heads), _line(["---", *["---:"] * (len(part.heads) - 1)]), *map(_line, part.rows)]
            lines += [""] * bool(part.notes)
        lines += [f"- {sentence}" for sentence in part.notes]
    return "\n".join(lines) + "\n"


def as_html(benchmark: Benchmark) -> str:
    """Return the page as HTML."""
    sections = []
    for part in parts_of(benchmark):
        rows = [list(map(_cell, row)) for row in part.rows]
        text = table(part.heads, rows, sortable=False) if rows else ""
        sections.append(
            Section(part.name, part.title, text + "".join(note(text.replace("**", "")) for text in part.notes))
        )
    return page(_title(benchmark), sections)


def _cell(text: str) -> str | Cell:
    plain = text.strip("*")
    return text if plain == text else Cell(f"<strong>{escape(plain)}</strong>", left=True)


def as_json(benchmark: Benchmark) -> dict[str, Any]:
    """Return everything as data; shares are fractions of 1."""
    return {
        "data": DATA[benchmark.data].title,
        "seeds": list(benchmark.seeds),
        "protocol": benchmark.protocol,
        "tuning": benchmark.tuning,
        "rows": [
            {
                "method": row.method.name,
                "title": row.method.title,
                "silhouettes": row.method.silhouettes,
                "seeds": list(row.tests),
                "metrics": None if row.means is None else _numbers(row.means),
                "by_seed": {seed: _by_seed(row, seed) for seed in row.tests},
                "missing_tracklets": dict(row.missing),
                "silhouette_iou": {seed: dict(overlap) for seed, overlap in row.overlaps.items()},
                "cost": asdict(row.cost),
                "facts": dict(row.facts),
                "failures": dict(row.failures),
            }
            for row in benchmark.rows
        ],
        "differences": [
            {"first": one.method.name, "second": other.method.name, "metrics": _numbers(means)}
            for number, one in enumerate(benchmark.rows)
            for other in benchmark.rows[number + 1 :]
            if (means := benchmark.difference(one, other)) is not None
        ],
    }


def _numbers(means: SeedMeans) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return {direction: {metric: mean, standard deviation and interval}}."""
    names = ("infrared_to_visible", "visible_to_infrared", "both")
    fields = {"mean": means.mean, "standard_deviation": means.spread, "low": means.low, "high": means.high}
    return {
        name: {
            key: {field: float(values[direction, column]) for field, values in fields.items()}
            for column, key in enumerate(KEYS)
        }
        for direction, name in enumerate(names)
    }


def _by_seed(row: MeasuredMethod, seed: int) -> list[list[float]]:
    """Return the metrics of one seed, `[direction][key]`."""
    return [direction.values.mean(axis=0).tolist() for direction in row.tests[seed]]


def _title(benchmark: Benchmark) -> str:
    return f"Benchmark on {DATA[benchmark.data].title}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
