"""What was read beside what was published, as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from opengait_ext.data.tracklet import Modality, Tracklet


@dataclass(frozen=True)
class Count:
    """Identities, tracklets listed, tracklets kept and frames kept; None where nothing is known."""

    identities: int | None
    listed: int | None
    kept: int | None
    frames: int | None

    def only_listed(self) -> "Count":
        """The same without the counts that depend on which tracklets are dropped."""
        return replace(self, identities=None, kept=None, frames=None)


class Notes:
    """Counted remarks under a table; a remark that concerns nothing is not made."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, str]] = []

    def add(self, count: int, text: str) -> None:
        """Remember that `text` concerns `count` things."""
        if count:
            self._notes.append((count, text))

    def lines(self) -> list[str]:
        """One line a remark."""
        return [f"  {count:,} {text}" for count, text in self._notes]


def counts_of(kept: Sequence[Tracklet], modality: Modality | None, listed: int) -> Count:
    """Count the tracklets of one modality (None: of both) among `kept`; `listed` were there before any was dropped."""
    mine = [tracklet for tracklet in kept if modality in (None, tracklet.modality)]
    return Count(
        identities=len({tracklet.person for tracklet in mine}),
        listed=listed,
        kept=len(mine),
        frames=sum(len(tracklet.frames) for tracklet in mine),
    )


def table_of_counts(read: Mapping[tuple[str, str], Count], published: Mapping[tuple[str, str], Count] | None) -> str:
    """One line for each split and modality (or "both"); the published counts, where given, follow in brackets."""
    heads = ["split", "modality", "identities", "tracklets listed", "kept", "frames kept"]
    lines = [heads]
    for key, count in read.items():
        told = (published or {}).get(key, Count(None, None, None, None))
        pairs = (
            (count.identities, told.identities),
            (count.listed, told.listed),
            (count.kept, told.kept),
            (count.frames, told.frames),
        )
        cells = [
            _number(mine) if published is None else f"{_number(mine)} [{_number(theirs)}]" for mine, theirs in pairs
        ]
        lines.append([key[0], str(key[1]), *cells])
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
