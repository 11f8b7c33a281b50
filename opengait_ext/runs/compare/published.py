"""The published numbers, read from `published.json` beside this file."""

import json
from pathlib import Path
from typing import Any

from opengait_ext.runs.compare.rows import Conditions, Row
from opengait_ext.runs.results import DIRECTIONS, KEYS

FILE = Path(__file__).with_name("published.json")


def published_rows(file: Path = FILE) -> list[Row]:
    """Return the rows of the paper's Tables 1 and 2, of the authors' release and of later publications."""
    tables = json.loads(file.read_text(encoding="utf-8"))["tables"]
    return [_row(table, entry) for table in tables for entry in table["rows"]]


def remarks(dataset: str, file: Path = FILE) -> list[str]:
    """Return the remarks on the published rows of a dataset, without duplicates."""
    tables = json.loads(file.read_text(encoding="utf-8"))["tables"]
    return list(dict.fromkeys(note for table in tables if table["dataset"] == dataset for note in table["notes"]))


def _row(table: dict[str, Any], entry: dict[str, Any]) -> Row:
    return Row(
        method=entry["method"],
        source=entry.get("source", table["source"]),
        reference=entry["reference"],
        kind=entry["type"],
        frames=str(entry["frames"]),
        conditions=Conditions(
            dataset=table["dataset"],
            protocol=table["protocol"],
            population=entry["population"],
            counts=table["populations"][entry["population"]],
        ),
        numbers={direction: {key: entry[direction].get(key) for key in KEYS} for direction in DIRECTIONS},
        notes=tuple(entry["notes"]),
    )
