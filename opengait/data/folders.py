"""Folders as every reader lists them: without what desktops leave in them, links followed, loops refused."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from opengait.errors import DataError

# Folders and files that file managers, network drives, editors and archives leave behind. Hidden names (`.DS_Store`,
# `._0001.jpg`, `.git`, `.ipynb_checkpoints`) need no entry.
_CLUTTER = {
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "__macosx",
    "@eadir",
    "#recycle",
    "$recycle.bin",
    "system volume information",
    "lost+found",
}


def is_clutter(name: str) -> bool:
    """Return whether a file or folder of this name is hidden or left by a desktop, so that readers ignore it."""
    return name.startswith((".", "~$")) or name.lower() in _CLUTTER


def natural_key(name: str) -> tuple:
    """Return a sorting key that puts frame 6 before frame 11; without it, names are sorted 1, 11, 6."""
    parts = re.split(r"([0-9]+)", name)
    # Text and numbers alternate, so that like is compared with like. A number is compared by its length first, since
    # converting thousands of digits to an int fails.
    numbers = [(len(digits.lstrip("0")), digits.lstrip("0")) for digits in parts[1::2]]
    return (*(item for pair in zip(parts[::2], [*numbers, (0, "")], strict=True) for item in pair), name)


def subfolders(parent: Path) -> list[Path]:
    """Return the folders in `parent`, sorted by name; links are followed, clutter is left out.

    Raises:
        DataError: the folder cannot be listed, or a link in it leads back to it or to a folder above it.
    """
    folders = []
    for entry in _entries(parent):
        if not is_clutter(entry.name) and entry.is_dir():
            if entry.is_symlink():
                _refuse_loop(entry.path, os.path.realpath(entry.path), [os.path.realpath(parent)])
            folders.append(parent / entry.name)
    return sorted(folders)


def files_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return what a folder holds under one of these suffixes, in natural order, without clutter.

    A folder of such a name is included, so that checks can report it.

    Args:
        folder: the folder.
        suffixes: such as `.jpg`, in lower case; a file's suffix may have any case.

    Raises:
        DataError: the folder cannot be listed.
    """
    entries = [entry for entry in _entries(folder) if entry.name.lower().endswith(tuple(suffixes))]
    names = [entry.name for entry in entries if not is_clutter(entry.name)]
    return [folder / name for name in sorted(names, key=natural_key)]


def walk_folders(root: Path) -> Iterator[Path]:
    """Yield `root` and all folders below it, in natural order; links are followed, clutter is left out.

    Raises:
        DataError: a folder cannot be listed, or a link leads back to a folder that it was reached through.
    """
    # A folder, its path without links, and such paths of the folders that links on the way to it were found in.
    waiting: list[tuple[Path, str, tuple[str, ...]]] = [(root, os.path.realpath(root), ())]
    while waiting:
        folder, real, passed = waiting.pop()
        yield folder
        below = []
        for entry in _entries(folder):
            if is_clutter(entry.name) or not entry.is_dir():
                continue
            if entry.is_symlink():
                target = os.path.realpath(entry.path)
                _refuse_loop(entry.path, target, [real, *passed])
                below.append((folder / entry.name, target, (real, *passed)))
            else:
                below.append((folder / entry.name, f"{real}{os.sep}{entry.name}", passed))
        waiting += sorted(below, key=lambda one: natural_key(one[0].name), reverse=True)


def case_twins(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ only in case, which some disks cannot hold side by side."""
    groups = defaultdict(set)
    for name in names:
        groups[name.casefold()].add(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be listed: {error.strerror or error}.") from error


def _refuse_loop(link: str, target: str, passed: Iterable[str]) -> None:
    for folder in passed:
        if f"{folder}{os.sep}".startswith(f"{target.rstrip(os.sep)}{os.sep}"):
            raise DataError(f"{link} is a link to {target}, which holds the link itself; remove the link.")
