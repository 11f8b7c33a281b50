"""The results table of a test: one line per direction, in percent, with intervals if available."""

from collections.abc import Mapping
from typing import Any

from opengait_ext.evaluation.bootstrap import Interval
from opengait_ext.evaluation.metrics import RANKS
from opengait_ext.evaluation.protocol import Direction

HEADS = {**{f"rank{rank}": f"Rank-{rank}" for rank in RANKS}, "map": "mAP", "minp": "mINP"}
# Columns that show their intervals.
SPREAD = ("rank1", "map")


def table_of_results(
    title: str,
    directions: tuple[Direction, ...],
    results: Mapping[str, Mapping[str, Any]],
    intervals: Mapping[str, Mapping[str, Interval] | None] | None = None,
) -> str:
    """Format the metrics of several directions as a table.

    Args:
        title: the line above the table.
        directions: the directions in order.
        results: by direction name, the metrics of `cross_modal_metrics` and `chance_rank1`.
        intervals: by direction name, (low, high) by metric.
    """
    lines = [["", *HEADS.values(), "queries", "gallery", "chance Rank-1"]]
    for direction in directions:
        metrics, spread = results[direction.name], (intervals or {}).get(direction.name) or {}
        cells = [percent(metrics[key], spread.get(key) if key in SPREAD else None) for key in HEADS]
        counts = f"{metrics['valid_queries']:,}"
        if metrics["valid_queries"] != metrics["queries"]:
            counts += f" of {metrics['queries']:,}"
        lines.append(
            [direction.title, *cells, counts, f"{metrics['gallery']:,}", f"{100 * metrics['chance_rank1']:.2f}"]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join([title, *map("  ".join, rows)])


def percent(share: float, interval: Interval | None = None, digits: int = 2) -> str:
    """Format a fraction in percent, with its interval in brackets."""
    text = f"{100 * share:.{digits}f}"
    return text if interval is None else f"{text} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
