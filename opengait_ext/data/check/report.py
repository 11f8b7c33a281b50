"""What a check found: counts beside the published ones, problems, and remarks that are no problems."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from opengait.errors import DataError
from opengait_ext.data.tracklet import Modality, Tracklet


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: what sort of thing, the same words for all of its sort.
        where: a file, a line of a list, or a person.
        what: a sentence's worth of detail.
    """

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.what else self.where


@dataclass
class CountRow:
    """One line of the table: found numbers by column, and published ones where there are any."""

    split: str
    modality: str
    found: dict[str, int]
    published: dict[str, int | None] = field(default_factory=dict)
    cameras: list[str] = field(default_factory=list)


@dataclass
class Report:
    """Everything about one data set.

    Attributes:
        data_set, root: what was looked at.
        counts: a line for each split and modality.
        problems: all of them.
        remarks: sentences about what is unusual but allowed.
        frames: how many frame files were looked at; sizes: (height, width) -> how many frames.
    """

    data_set: str
    root: Path
    counts: list[CountRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    frames: int = 0
    sizes: Counter = field(default_factory=Counter)

    def add(self, kind: str, where: Any, what: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, str(where), what))

    def remark(self, count: int, text: str) -> None:
        """Note that `text` holds for `count` things; nothing for none."""
        if count:
            self.remarks.append(f"{count:,} {text}")

    def text(self, show: int = 10) -> str:
        """For people: the table, the remarks, and of each kind of problem the first `show`."""
        lines = [f"{self.data_set} at {self.root}", *table(self.counts)]
        if self.sizes:
            common = [f"{height} x {width} ({count:,})" for (height, width), count in self.sizes.most_common(3)]
            more = f" and {len(self.sizes) - 3:,} other sizes" if len(self.sizes) > 3 else ""
            lines.append(f"  {self.frames:,} frame files looked at; height x width: {', '.join(common)}{more}")
        lines += [f"  {remark}" for remark in self.remarks]
        kinds: dict[str, list[Problem]] = {}
        for problem in self.problems:
            kinds.setdefault(problem.kind, []).append(problem)
        for kind, problems in kinds.items():
            lines.append(f"{kind}: {len(problems):,}")
            lines += [f"  {problem}" for problem in problems[:show]]
            if len(problems) > show:
                lines.append(f"  ... and {len(problems) - show:,} more")
        verdict = f"{len(self.problems):,} problems." if len(self.problems) != 1 else "1 problem."
        return "\n".join([*lines, verdict if self.problems else "No problems found."])

    def as_json(self) -> dict[str, Any]:
        """For programs: the same, with every problem."""
        sizes = {f"{height}x{width}": count for (height, width), count in self.sizes.most_common()}
        return {
            "data_set": self.data_set,
            "root": str(self.root),
            "counts": [asdict(row) for row in self.counts],
            "frames": self.frames,
            "sizes": sizes,
            "problem_counts": dict(Counter(problem.kind for problem in self.problems)),
            "problems": [asdict(problem) for problem in self.problems],
            "remarks": self.remarks,
        }

    def write(self, path: Path) -> None:
        """`as_json` in a file, whole or not at all.

        Raises:
            DataError: it cannot be written.
        """
        # Here, because it needs more than checking processes want to import.
        from opengait.utils.files import write_json

        try:
            write_json(path.expanduser(), self.as_json())
        except OSError as error:
            raise DataError(f"Cannot write the report {path}: {error.strerror or error}.") from error


def table(rows: Sequence[CountRow]) -> list[str]:
    """Aligned lines; published numbers follow in brackets, and a star marks those that differ."""
    if not rows:
        return []
    columns = list(dict.fromkeys(name for row in rows for name in row.found))
    cameras = any(row.cameras for row in rows)
    lines = [["split", "modality", *columns, *["cameras"] * cameras]]
    for row in rows:
        cells = [_cell(row.found.get(name), row.published.get(name)) for name in columns]
        lines.append([row.split, row.modality, *cells])
        if cameras:
            lines[-1].append(f"{len(row.cameras)}: {', '.join(row.cameras)}")
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    text = []
    for line in lines:
        cells = [
            cell.ljust(w) if place < 2 or (cameras and place == len(line) - 1) else cell.rjust(w)
            for place, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        text.append(("  " + "  ".join(cells)).rstrip())
    legend = ["  in brackets: as published; * differs"] if any(row.published for row in rows) else []
    return [text[0], "  " + "-" * (max(map(len, text)) - 2), *text[1:], *legend]


def count_tracklets(
    split: str, tracklets: Iterable[Tracklet], modality: Modality | None, cameras: dict[int, str]
) -> CountRow:
    """Identities, tracklets, frames and cameras of one modality (None: of both).

    Args:
        cameras: their names, where they have any.
    """
    mine = [tracklet for tracklet in tracklets if modality in (None, tracklet.modality)]
    found = {
        "identities": len({tracklet.person for tracklet in mine}),
        "tracklets": len(mine),
        "frames": sum(len(tracklet.frames) for tracklet in mine),
    }
    seen = sorted({tracklet.camera for tracklet in mine})
    return CountRow(
        split, str(modality or "both"), found, cameras=[cameras.get(camera, str(camera)) for camera in seen]
    )


def _cell(found: int | None, published: int | None) -> str:
    mine = "-" if found is None else f"{found:,}"
    return mine if published is None else f"{mine} [{published:,}]{'' if found == published else '*'}"
