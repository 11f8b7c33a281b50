"""A table of a dataset's counts next to the published ones."""

from collections.abc import Container, Iterable, Mapping, Sequence
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


Remarks = Iterable[tuple[int, str]]
"""Remarks that a text applies to a number of things, such as (3, "tracklets of a single frame")."""


def remark_lines(remarks: Remarks) -> list[str]:
    """Return one line per remark, without those that apply to nothing."""
    return [f"{count:,} {text}" for count, text in remarks if count]


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
        cells = [number(value) for value in astuple(count)]
        if published is not None:
            cells = [f"{cell} [{number(value)}]" for cell, value in zip(cells, astuple(expected), strict=True)]
        lines.append([split, str(modality), *cells])
    text = aligned(lines)
    legend = [] if published is None else ["  in brackets: as published"]
    return "\n".join([*text, *legend])


def aligned(lines: Sequence[Sequence[str]], left: Container[int] = (0, 1)) -> list[str]:
    """Return the lines of a table, with a rule below the first; `left` holds the columns that are not numbers."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        (
            "  "
            + "  ".join(
                c.ljust(w) if at in left else c.rjust(w) for at, (c, w) in enumerate(zip(line, widths, strict=True))
            )
        ).rstrip()
        for line in lines
    ]
    return [text[0], "  " + "-" * (max(map(len, text)) - 2), *text[1:]]


def number(value: int | None) -> str:
    """Return a count with separators, or a dash for an unknown one."""
    return "-" if value is None else f"{value:,}"
