"""The table that a test prints: one line a direction, percentages, intervals where there are some."""

from collections.abc import Mapping
from typing import Any

from opengait_ext.evaluation.bootstrap import Interval
from opengait_ext.evaluation.metrics import RANKS
from opengait_ext.evaluation.protocol import Direction

HEADS = {**{f"rank{rank}": f"Rank-{rank}" for rank in RANKS}, "map": "mAP", "minp": "mINP"}
# Columns that show their interval.
SPREAD = ("rank1", "map")


def table_of_results(
    title: str,
    directions: tuple[Direction, ...],
    results: Mapping[str, Mapping[str, Any]],
    intervals: Mapping[str, Mapping[str, Interval] | None] | None = None,
) -> str:
    """The numbers of several directions below each other.

    Args:
        title: the line above.
        directions: which directions, in order.
        results: of each direction by its name, what `cross_modal_metrics` returns, with `chance_rank1`.
        intervals: of each direction, (low, high) of the columns that show it.
    """
    lines = [["", *HEADS.values(), "queries", "gallery", "chance Rank-1"]]
    for direction in directions:
        found, spread = results[direction.name], (intervals or {}).get(direction.name) or {}
        cells = [percent(found[key], spread.get(key) if key in SPREAD else None) for key in HEADS]
        counts = f"{found['valid_queries']:,}"
        if found["valid_queries"] != found["queries"]:
            counts += f" of {found['queries']:,}"
        lines.append([direction.title, *cells, counts, f"{found['gallery']:,}", f"{100 * found['chance_rank1']:.2f}"])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join([title, *map("  ".join, rows)])


def percent(share: float, interval: Interval | None = None, digits: int = 2) -> str:
    """A fraction of 1 in percent, with its interval in brackets."""
    text = f"{100 * share:.{digits}f}"
    return text if interval is None else f"{text} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
