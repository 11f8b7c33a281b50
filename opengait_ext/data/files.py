"""Files of a dataset that is read in place: lists, folders, and the problems found in them."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from opengait.data.packs.read import Pack
from opengait.errors import DataError

BAD_LINE, LIST = "bad line", "missing or unreadable list"

Entry = TypeVar("Entry")
Person = TypeVar("Person", bound=Hashable)


@dataclass(frozen=True)
class Problem:
    """One problem of a dataset.

    Attributes:
        kind: the category, the same words for all problems of a kind.
        where: a file, a line of a list, or a person.
        what: the details.
    """

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.what else self.where


def line_problem(kind: str, path: Path, number: int, what: str) -> Problem:
    """Return a problem of the line `number` (from 1) of a list."""
    return Problem(kind, f"{path.name}, line {number}", what)


def valid_entries(parsed: Iterable[Entry | Problem], folder: Path) -> Iterator[Entry]:
    """Yield the entries that a list in `folder` was parsed into.

    Raises:
        DataError: the first problem, with the path of the list.
    """
    for entry in parsed:
        if isinstance(entry, Problem):
            raise DataError(f"{folder}/{entry}.")
        yield entry


def read_lines(path: Path, source: str) -> list[str]:
    """Read the lines of a list without surrounding blanks and without blank lines at the end.

    Raises:
        DataError: the file is missing, empty or not text; `source` says where to get it.
    """
    return [line.strip() for line in read_text(path, source).rstrip().split("\n")]


def read_text(path: Path, source: str, allow_empty: bool = False) -> str:
    """Read a text file.

    Raises:
        DataError: the file is missing, empty or not text; `source` says where to get it.
    """
    try:
        # Editors on Windows put a byte order mark before UTF-8 text.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {source}.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if not allow_empty and not text.strip():
        raise DataError(f"{path} is empty; {source}.")
    return text


def has_folder(folder: Path, pack: Pack | None) -> bool:
    """Return whether a folder of frames exists, as a folder or in the pack."""
    return pack.has_folder(folder) if pack else folder.is_dir()


def shared_people(people: Mapping[str, set[Person]]) -> Iterator[tuple[str, str, list[Person]]]:
    """Yield each pair of splits that have people in common, and these people in the order of their numbers."""
    for one, other in combinations(people, 2):
        if shared := people[one] & people[other]:
            yield one, other, sorted(shared, key=lambda person: int(str(person)))


def check_disjoint(root: Path, people: Mapping[str, set[Person]]) -> None:
    """Check that no person is in two splits.

    Raises:
        DataError: a person is in two splits.
    """
    for one, other, shared in shared_people(people):
        some = ", ".join(map(str, shared[:5])) + (", ..." if len(shared) > 5 else "")
        raise DataError(
            f"{root}: {len(shared)} people are in both the {one} and the {other} split ({some}), which must not share "
            f"any; correct the lists."
        )
