"""A table of a dataset's counts next to the published ones."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from opengait_ext.data.tracklet import Modality, Tracklet


@dataclass(frozen=True)
class Count:
    """Numbers of identities, tracklets listed, tracklets kept and frames kept; None where unknown."""

    identities: int | None
    listed: int | None
    kept: int | None
    frames: int | None

    def only_listed(self) -> "Count":
        """Return a copy without the counts that depend on which tracklets are dropped."""
        return replace(self, identities=None, kept=None, frames=None)


Counts = Mapping[tuple[str, Any], Count]
"""Counts by split and modality."""


class Notes:
    """Counted remarks below a table; a remark with a count of 0 is skipped."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, str]] = []

    def add(self, count: int, text: str) -> None:
        """Add the remark that `text` applies to `count` things."""
        if count:
            self._notes.append((count, text))

    def lines(self) -> list[str]:
        """Return one line per remark."""
        return [f"  {count:,} {text}" for count, text in self._notes]


def counts_of(kept: Sequence[Tracklet], modality: Modality | None, listed: int) -> Count:
    """Count the tracklets of one modality (None: of both) in `kept`; `listed` counts them before any was dropped."""
    counted = [tracklet for tracklet in kept if modality in (None, tracklet.modality)]
    return Count(
        identities=len({tracklet.person for tracklet in counted}),
        listed=listed,
        kept=len(counted),
        frames=sum(len(tracklet.frames) for tracklet in counted),
    )


def table_of_counts(read: Counts, published: Counts | None) -> str:
    """Return one line per split and modality (or "both"), with the published counts, if given, in brackets."""
    heads = ["split", "modality", "identities", "tracklets listed", "kept", "frames kept"]
    lines = [heads]
    for (split, modality), count in read.items():
        expected = (published or {}).get((split, modality), Count(None, None, None, None))
        cells = [_number(value) for value in astuple(count)]
        if published is not None:
            cells = [f"{cell} [{_number(value)}]" for cell, value in zip(cells, astuple(expected), strict=True)]
        lines.append([split, str(modality), *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    rule = "  " + "-" * (sum(widths) + 2 * (len(widths) - 1))
    text = [
        "  "
        + "  ".join(
            cell.ljust(w) if c < 2 else cell.rjust(w) for c, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    legend = [] if published is None else ["  in brackets: as published"]
    return "\n".join([text[0], rule, *text[1:], *legend])


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
