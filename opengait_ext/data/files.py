"""Lists and folders of a dataset that is read in place."""

from pathlib import Path

from opengait.data.packs.read import Pack
from opengait.data.problems import Problem

BAD_LINE, LIST = "bad line", "missing or unreadable list"


def line_problem(kind: str, path: Path, number: int, what: str, fatal: bool = True) -> Problem:
    """Return a problem of the line `number` (from 1) of a list."""
    return Problem(kind, f"{path.name}, line {number}", what, fatal, path)


def number_of(field: str) -> int | None:
    """Return the number that a field of a list writes in plain digits; None for anything else."""
    # `isdecimal` alone would accept the digits of other scripts, and `int` fails for thousands of digits.
    return int(field) if field.isascii() and field.isdecimal() and len(field) < 10 else None


def has_folder(folder: Path, pack: Pack | None) -> bool:
    """Return whether a folder of frames exists, as a folder or in the pack."""
    return pack.has_folder(folder) if pack else folder.is_dir()
