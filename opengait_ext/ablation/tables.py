"""Rows of the paper's ablations, read from `tables.json` beside this file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("tables.json")
FULL = "full"
FIGURE4 = "figure4"


@dataclass(frozen=True)
class Row:
    """A row of a table: one network, trained with one configuration.

    Attributes:
        config: name of the row's file in `configs/ablation`, without suffix.
        cells: entries of the table's own columns.
        paper: IR to VIS Rank-1 and mAP, VIS to IR Rank-1 and mAP, in percent, on HITSZ-VCM; None if not published.
        weights: changed loss weights, by `log_prefix` (Figure 4).
        data: datasets that the row exists on; None for all.
        notes: remarks, by dataset.
    """

    config: str
    cells: tuple[str, ...]
    paper: tuple[float, float, float, float] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    data: tuple[str, ...] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the row's runs; rows with the same network share it across tables."""
        changed = "_".join(f"{loss}_{value:g}" for loss, value in self.weights.items())
        return f"{FIGURE4}_{changed}" if changed else self.config


@dataclass(frozen=True)
class Sweep:
    """One curve of Figure 4: a loss weight that is varied while the others stay fixed.

    Attributes:
        symbol: the paper's name of the weight.
        loss: `log_prefix` of the loss.
        values: values of the sweep, among them `centre`.
        centre: the paper's choice.
    """

    symbol: str
    loss: str
    values: tuple[float, ...]
    centre: float


@dataclass(frozen=True)
class Table:
    """An ablation of the paper.

    Attributes:
        name: "3" to "9", or "figure4".
        title: subject of the comparison.
        columns: headings of the rows' `cells`.
        sweeps: sweeps of Figure 4, in the order of its rows; empty for tables.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sweeps: tuple[Sweep, ...] = ()

    @property
    def heading(self) -> str:
        """Heading, such as "Table 3"."""
        return "Figure 4" if self.name == FIGURE4 else f"Table {self.name}"

    @property
    def file(self) -> str:
        """Stem of the output files, such as "table3"."""
        return self.name if self.name == FIGURE4 else f"table{self.name}"

    def on(self, data: str) -> tuple[Row, ...]:
        """Return the rows that exist on a dataset."""
        return tuple(row for row in self.rows if row.data is None or data in row.data)


def read_tables(file: Path = FILE) -> dict[str, Table]:
    """Return every ablation by name, in the paper's order."""
    content = json.loads(file.read_text(encoding="utf-8"))
    tables = {
        name: Table(name, table["title"], tuple(table["columns"]), tuple(map(_row, table["rows"])))
        for name, table in content["tables"].items()
    }
    sweeps = tuple(Sweep(**entry | {"values": tuple(entry["values"])}) for entry in content[FIGURE4])
    rows = tuple(_point(sweeps, sweep, value) for sweep in sweeps for value in sweep.values)
    columns = tuple(sweep.symbol for sweep in sweeps)
    return tables | {FIGURE4: Table(FIGURE4, "weights of the losses", columns, rows, sweeps)}


def _row(entry: dict[str, Any]) -> Row:
    tuples: dict[str, Any] = {key: tuple(entry[key]) for key in ("cells", "paper", "data") if key in entry}
    return Row(**(entry | tuples))


def _point(sweeps: tuple[Sweep, ...], varied: Sweep, value: float) -> Row:
    cells = tuple(f"{value if sweep is varied else sweep.centre:g}" for sweep in sweeps)
    return Row(FULL, cells, weights={} if value == varied.centre else {varied.loss: value})
