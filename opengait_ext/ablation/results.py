"""Tables of measured results, mean and spread over seeds, next to the published numbers."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opengait.utils.files import from_here
from opengait_ext.ablation.jobs import DATA
from opengait_ext.ablation.tables import Row, Table
from opengait_ext.experiments.jobs import Job, Run

# Columns of the paper's tables.
NUMBERS = tuple((name, key) for name in ("infrared_to_visible", "visible_to_infrared") for key in ("rank1", "map"))
HEADS = ("IR→VIS R@1", "mAP", "VIS→IR R@1", "mAP")
_PAPER = {
    "synthetic": "another dataset and other networks, so at most the order of the rows is comparable",
    "hitsz": "on the same dataset",
    "bupt": "on another dataset, so at most the order of the rows is comparable",
}


@dataclass(frozen=True)
class MeasuredRow:
    """A row and the results of its runs.

    Attributes:
        runs: {seed: the four numbers in percent, in the order of `NUMBERS`} of finished runs.
        failures: {seed: error message} of failed runs.
    """

    row: Row
    runs: Mapping[int, Sequence[float]]
    failures: Mapping[int, str]

    @property
    def means(self) -> list[float] | None:
        """Means over the seeds; None without a finished run."""
        return [statistics.fmean(values) for values in zip(*self.runs.values(), strict=True)] if self.runs else None

    @property
    def spreads(self) -> list[float] | None:
        """Standard deviations over the seeds; None with fewer than two."""
        columns = zip(*self.runs.values(), strict=True)
        return [statistics.stdev(values) for values in columns] if len(self.runs) > 1 else None


@dataclass(frozen=True)
class MeasuredTable:
    """A table and the results of its runs.

    Attributes:
        data: key of `DATA`.
        seeds: requested seeds.
        facts: settings from a test's protocol card, for the sentence below the table.
    """

    table: Table
    data: str
    seeds: Sequence[int]
    rows: Sequence[MeasuredRow]
    facts: Mapping[str, Any]

    def as_markdown(self) -> str:
        """Return the table, and sentences on its numbers below it."""
        columns = [*self.table.columns, *HEADS, *(f"*paper* {head}" for head in HEADS)]
        lines = [f"### {self.table.heading}: {self.table.title}", ""]
        lines += [_line(columns), _line(["---"] * len(self.table.columns) + ["---:"] * 2 * len(HEADS))]
        notes: list[str] = []
        for row in self.rows:
            lines.append(_line([*_marked(row.row, self.data, notes), *_measured(row), *_published(row.row)]))
        return "\n".join([*lines, "", *self._sentences(notes)]) + "\n"

    def as_json(self) -> dict[str, Any]:
        """Return the table as data, in percent."""
        return {
            "table": self.table.heading,
            "title": self.table.title,
            "data": DATA[self.data].title,
            "seeds": list(self.seeds),
            "facts": dict(self.facts),
            "numbers": [f"{direction}.{key}" for direction, key in NUMBERS],
            "rows": [
                {
                    "row": row.row.name,
                    "cells": dict(zip(self.table.columns, row.row.cells, strict=True)),
                    "runs": {str(seed): list(values) for seed, values in row.runs.items()},
                    "mean": row.means,
                    "standard_deviation": row.spreads,
                    "paper_on_hitsz_vcm": row.row.paper,
                    "failures": {str(seed): text for seed, text in row.failures.items()},
                    "note": row.row.notes.get(self.data),
                }
                for row in self.rows
            ],
        }

    def _sentences(self, notes: Sequence[str]) -> list[str]:
        seeds = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {', '.join(map(str, self.seeds))}"
        spread = "" if len(self.seeds) == 1 else ", mean ± standard deviation over"
        facts = "".join(f"; {key} {value}" for key, value in self.facts.items())
        lines = [f"- Measured on {DATA[self.data].title}{spread or ','} {seeds}{facts}. Percent."]
        if self.data == "synthetic":
            lines.append("- Each seed draws different people, cameras and walks, and trains from scratch.")
        if any(row.row.paper for row in self.rows):
            lines.append(
                f"- *paper*: printed in {self.table.heading} of the paper, measured by its authors on HITSZ-VCM; "
                f"{_PAPER[self.data]}."
            )
        lines += [f"- ({number}) {note}." for number, note in enumerate(notes, start=1)]
        missing = [row for row in self.table.rows if row not in [measured.row for measured in self.rows]]
        if missing:
            names = ", ".join(" ".join(filter(None, row.cells)) for row in missing)
            lines.append(f"- Not available on {DATA[self.data].title}: {names}.")
        for row in self.rows:
            lines += [f"- {row.row.name}, seed {seed}, failed: {text}" for seed, text in row.failures.items()]
        return lines


def measure(
    table: Table, data: str, seeds: Sequence[int], jobs: Sequence[Run], failures: Mapping[Job, str]
) -> MeasuredTable:
    """Collect the results of a table's jobs so far.

    Raises:
        DataError: a result file is damaged.
    """
    rows: list[MeasuredRow] = []
    facts: dict[str, Any] = {}
    for row in table.on(data):
        jobs_of_row = [job for job in jobs if job.row == row.name]
        tests = {job.seed: job.results() for job in jobs_of_row if job.done}
        facts = facts or next((_facts(test, job) for test in tests.values() for job in jobs_of_row), {})
        numbers = {
            seed: [100 * test["results"][direction][key] for direction, key in NUMBERS] for seed, test in tests.items()
        }
        rows.append(MeasuredRow(row, numbers, {job.seed: failures[job] for job in jobs_of_row if job in failures}))
    return MeasuredTable(table, data, seeds, rows, facts)


def _facts(test: Mapping[str, Any], job: Run) -> dict[str, Any]:
    card = test.get("card") or {}
    frames = card.get("frames") or {}
    return {
        "protocol": card.get("protocol"),
        "frames": frames.get("frames_num_fixed"),
        "iterations": job.total,
        "configuration": from_here(job.config_file.parents[2]) + "/<row>/seed-<n>/config.yaml",
    }


def _marked(row: Row, data: str, notes: list[str]) -> list[str]:
    """Return the row's cells, the first with the number of the row's note; a new note is added to `notes`."""
    note = row.notes.get(data)
    if note is None:
        return list(row.cells)
    if note not in notes:
        notes.append(note)
    return [f"{row.cells[0]} ({notes.index(note) + 1})", *row.cells[1:]]


def _measured(row: MeasuredRow) -> list[str]:
    means, spreads = row.means, row.spreads
    if means is None:
        return ["-"] * len(NUMBERS)
    if spreads is None:
        return [f"{mean:.1f}" for mean in means]
    return [f"{mean:.1f} ± {spread:.1f}" for mean, spread in zip(means, spreads, strict=True)]


def _published(row: Row) -> list[str]:
    return ["-"] * len(NUMBERS) if row.paper is None else [f"*{value:.1f}*" for value in row.paper]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
