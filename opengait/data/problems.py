"""Problems of a dataset, found by one rule each: a reader raises them, a check lists them all."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from opengait.data.text_files import read_lines
from opengait.errors import DataError

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Problem:
    """One problem of a dataset.

    Attributes:
        kind: the category, the same words for all problems of a kind.
        where: a file, a line of a list, or a person.
        what: the details, and what to do.
        fatal: whether a reader must stop, because labels or metrics would be wrong; otherwise it warns.
        file: the list that `where` names a line of, if it does.
    """

    kind: str
    where: str
    what: str = ""
    fatal: bool = True
    file: Path | None = None

    def __str__(self) -> str:
        # A name from a list may hold a line break.
        return (f"{self.where}: {self.what}" if self.what else self.where).replace("\n", r"\n").replace("\r", r"\r")


class Findings(Protocol):
    """What rules hand their problems to: `Strict` when data is read, the report of a check when it is checked."""

    def collect(self, found: Iterable[Entry | Problem]) -> list[Entry]:
        """Take the problems out of what a parser or a rule yields, and return the rest."""
        ...

    def read_lines(self, path: Path, advice: str) -> list[str]:
        """Read a list as `opengait.data.text_files.read_lines` does."""
        ...


class Strict:
    """Raises the first fatal problem, and keeps the others for a warning.

    Args:
        root: the data, which messages begin with; None if problems name their files themselves.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self.doubts: list[Problem] = []

    def collect(self, found: Iterable[Entry | Problem]) -> list[Entry]:
        """Return the entries without the problems.

        Raises:
            DataError: a problem is fatal; the message has the first one and the number of others.
        """
        entries: list[Entry] = []
        fatal: list[Problem] = []
        for item in found:
            if isinstance(item, Problem):
                (fatal if item.fatal else self.doubts).append(item)
            else:
                entries.append(item)
        if fatal:
            more = f" ({len(fatal) - 1:,} more like it)" if len(fatal) > 1 else ""
            raise DataError(f"{self._located(fatal[0])}{more}.")
        return entries

    def read_lines(self, path: Path, advice: str) -> list[str]:
        """Read a list; one that cannot be read is an error."""
        return read_lines(path, advice)

    def warnings(self) -> list[str]:
        """Return a line for each kind of problem that does not stop reading."""
        kinds: dict[str, list[Problem]] = {}
        for doubt in self.doubts:
            kinds.setdefault(doubt.kind, []).append(doubt)
        return [
            f"{self._located(doubts[0])} ({kind}: {len(doubts):,} {'case' if len(doubts) == 1 else 'cases'})."
            for kind, doubts in kinds.items()
        ]

    def _located(self, problem: Problem) -> str:
        if problem.file is not None:
            return f"{problem.file.parent}/{problem}"
        return str(problem) if self.root is None else f"{self.root}: {problem}"
