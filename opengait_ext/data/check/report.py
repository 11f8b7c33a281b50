"""The report of a check: counts next to the published ones, problems, and remarks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from opengait.data.deep_pixels import RULE
from opengait.data.problems import Problem
from opengait.data.text_files import read_lines
from opengait.errors import DataError
from opengait_ext.data.files import LIST
from opengait_ext.data.summary import aligned, number, remark_lines
from opengait_ext.data.tracklet import Modality, Tracklet

Entry = TypeVar("Entry")


@dataclass
class CountRow:
    """A row of the table: actual counts by column, published counts if there are any, and the cameras."""

    split: str
    modality: str
    found: dict[str, int]
    published: dict[str, int | None] = field(default_factory=dict)
    cameras: list[str] = field(default_factory=list)


@dataclass
class PixelCounts:
    """The pixels of all frames of one mode.

    Attributes:
        frames: number of frames.
        values: the lowest and the highest value; None if no frame was decoded.
        single_valued: frames whose pixels all have one value.
    """

    frames: int = 0
    values: tuple[float, float] | None = None
    single_valued: list[str] = field(default_factory=list)

    def add(self, name: str, values: tuple[float, float] | None) -> None:
        """Count a frame, with its lowest and highest value if it was decoded."""
        self.frames += 1
        if values is not None:
            low, high = self.values or values
            self.values = (min(low, values[0]), max(high, values[1]))
            if values[0] == values[1]:
                self.single_valued.append(name)

    def __str__(self) -> str:
        values = "" if self.values is None else f", values {self.values[0]:g} to {self.values[1]:g}"
        return f"{self.frames:,}{values}"


@dataclass
class Report:
    """The report of one dataset.

    Attributes:
        data_set: name of the dataset.
        root: its folder.
        counts: a row per split and modality.
        problems: all problems.
        remarks: sentences about what is unusual but allowed.
        frames: number of frame files that were checked.
        sizes: number of frames by (height, width).
        pixels: by modality, then by mode of the pixels, the number of frames and the range of their values.
    """

    data_set: str
    root: Path
    counts: list[CountRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    frames: int = 0
    sizes: Counter = field(default_factory=Counter)
    pixels: dict[str, dict[str, PixelCounts]] = field(default_factory=dict)

    def add(self, kind: str, where: Any, what: str = "") -> None:
        """Add a problem."""
        self.problems.append(Problem(kind, str(where), what))

    def read_lines(self, path: Path, advice: str) -> list[str]:
        """Read the lines of a list; if it cannot be read, add the problem and return no lines."""
        try:
            return read_lines(path, advice)
        except DataError as error:
            self.add(LIST, path.name, str(error))
            return []

    def collect(self, parsed: Iterable[Entry | Problem]) -> list[Entry]:
        """Add the problems among the entries of a list, and return the others."""
        entries: list[Entry] = []
        for entry in parsed:
            if isinstance(entry, Problem):
                self.problems.append(entry)
            else:
                entries.append(entry)
        return entries

    def remark(self, count: int, text: str) -> None:
        """Add the remark that `text` applies to `count` items, unless there are none."""
        self.remarks += remark_lines([(count, text)])

    def text(self, show: int = 10) -> str:
        """Format the table, the remarks and the first `show` problems of each kind."""
        lines = [f"{self.data_set} at {self.root}", *table(self.counts)]
        if self.sizes:
            common = [f"{height} x {width} ({count:,})" for (height, width), count in self.sizes.most_common(3)]
            more = f" and {len(self.sizes) - 3:,} other sizes" if len(self.sizes) > 3 else ""
            lines.append(f"  {self.frames:,} frame files checked; height x width: {', '.join(common)}{more}")
        for modality, modes in self.pixels.items():
            lines.append(f"  {modality} pixels: {'; '.join(f'{mode} ({count})' for mode, count in modes.items())}")
        if any(" bits" in mode for modes in self.pixels.values() for mode in modes):
            lines.append(f"  how pixels are read: {RULE}")
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
        """Return the whole report with every problem."""
        sizes = {f"{height}x{width}": count for (height, width), count in self.sizes.most_common()}
        return {
            "data_set": self.data_set,
            "root": str(self.root),
            "counts": [asdict(row) for row in self.counts],
            "frames": self.frames,
            "sizes": sizes,
            "pixels": {
                modality: {mode: asdict(count) for mode, count in modes.items()}
                for modality, modes in self.pixels.items()
            },
            "problem_counts": dict(Counter(problem.kind for problem in self.problems)),
            "problems": [{"kind": p.kind, "where": p.where, "what": p.what} for p in self.problems],
            "remarks": self.remarks,
        }

    def write(self, path: Path) -> None:
        """Write `as_json` to a file atomically.

        Raises:
            DataError: the file cannot be written.
        """
        # Imported here, because it imports torch, which would slow down the start of every checking process.
        from opengait.utils.files import write_json

        try:
            write_json(path.expanduser(), self.as_json())
        except OSError as error:
            raise DataError(f"Cannot write the report {path}: {error.strerror or error}.") from error


def table(rows: Sequence[CountRow]) -> list[str]:
    """Format the counts as aligned lines, with the published counts in brackets and a star where they differ."""
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
    legend = ["  in brackets: as published; * differs"] if any(row.published for row in rows) else []
    return [*aligned(lines, (0, 1, len(lines[0]) - 1) if cameras else (0, 1)), *legend]


def count_tracklets(
    split: str, tracklets: Iterable[Tracklet], modality: Modality | None, cameras: dict[int, str]
) -> CountRow:
    """Count the identities, tracklets, frames and cameras of one modality, or with None of both.

    Args:
        split: name of the split.
        tracklets: all tracklets of the split.
        modality: the modality to count.
        cameras: names of the cameras by number; others are shown by number.
    """
    selected = [tracklet for tracklet in tracklets if modality in (None, tracklet.modality)]
    counts = {
        "identities": len({tracklet.person for tracklet in selected}),
        "tracklets": len(selected),
        "frames": sum(len(tracklet.frames) for tracklet in selected),
    }
    numbers = sorted({tracklet.camera for tracklet in selected})
    names = [cameras.get(camera, str(camera)) for camera in numbers]
    return CountRow(split, str(modality or "both"), counts, cameras=names)


def _cell(actual: int | None, published: int | None) -> str:
    text = number(actual)
    return text if published is None else f"{text} [{published:,}]{'' if actual == published else '*'}"
