"""OpenGait's layout on disk, `root/<id>/<type>/<view>/*.pkl` with a partition file.

The dataset and the check of a dataset both read it here, so that they see the same tracklets and the same problems.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

from opengait.data.folders import case_twins, files_in, subfolders
from opengait.data.problems import Findings, Problem, Strict
from opengait.data.text_files import read_json
from opengait.errors import ConfigError, DataError

TRAIN, TEST = "TRAIN_SET", "TEST_SET"
PROBE, GALLERY = "PROBE_SET", "GALLERY_SET"
# Lists that must not share an entry.
_APART = ((TRAIN, TEST, "id"), (PROBE, GALLERY, "tracklet"))

PARTITION, BOTH, NO_FOLDER = "partition file", "in two lists", "listed id without a folder"
NO_FILES, OTHER_NUMBER = "tracklet without .pkl files", "different number of files"
TWINS, SAME_FOLDER = "names that differ only in case", "folder under two names"
UNKNOWN = "listed tracklet without a folder"


class StoredTracklet(NamedTuple):
    """A tracklet: its folders' names, and its feature files in the order of their names."""

    label: str
    type: str
    view: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.label}-{self.type}-{self.view}"


def read_partition(path: str | Path) -> dict[str, list[str]]:
    """Read a partition file: a JSON object of lists, such as TRAIN_SET, TEST_SET, PROBE_SET.

    Raises:
        DataError: the file is missing, is not such an object, or a list has an entry twice.
    """
    content = read_json(Path(path), "set data_cfg.dataset_partition to the partition file")
    Strict().collect(problems_of_lists(Path(path), content))
    return content


def problems_of_lists(path: Path, content: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield each problem of the lists that a partition file has."""
    for key in (TRAIN, TEST, PROBE, GALLERY):
        entries = content.get(key, [])
        if not isinstance(entries, list) or not all(map(_is_name, entries)):
            yield Problem(PARTITION, str(path), f"{key}: expected a list of names as text")
            continue
        twice = [entry for entry, count in Counter(map(str, entries)).items() if count > 1]
        if twice:
            what = f"{key} names {len(twice)} entries more than once, such as {twice[0]!r}; list each once"
            yield Problem(PARTITION, str(path), what)


def problems_between_lists(path: Path, content: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield each entry of two lists that must not share any."""
    for one, other, noun in _APART:
        first, second = (set(map(str, content.get(key) or ())) for key in (one, other))
        for entry in sorted(first & second):
            yield Problem(BOTH, f"{noun} {entry}", f"in {one} and in {other} of {path}; remove it from one of them")


def ids_of(content: Mapping[str, Any], part: str, path: Path, findings: Findings) -> list[str]:
    """Return the ids of TRAIN_SET or TEST_SET."""
    if part not in content:
        findings.collect([Problem(PARTITION, str(path), f"has no list named {part}")])
    return [str(label) for label in content.get(part) or ()]


def find_tracklets(root: Path, ids: Sequence[str], source: str, findings: Findings) -> list[StoredTracklet]:
    """Return the tracklets of these ids, in their order and then in the order of the folders' names.

    Args:
        root: the dataset's folder.
        ids: names of folders below it.
        source: the list that names them, for messages.
        findings: receives the problems.

    Raises:
        DataError: the folder does not exist, or one below it cannot be listed.
    """
    if not root.is_dir():
        raise DataError(f"The dataset root {root} does not exist; set data_cfg.dataset_root to the prepared data.")
    folders = {folder.name: folder for folder in subfolders(root)}
    findings.collect(_missing_ids(root, ids, folders, source))
    labels = [label for label in ids if label in folders]
    findings.collect(_twins(root, folders))
    tracklets: list[StoredTracklet] = []
    seen: dict[str, StoredTracklet] = {}
    top = os.path.realpath(root)
    for label in labels:
        kinds = subfolders(folders[label])
        findings.collect(_twins(folders[label], [kind.name for kind in kinds]))
        for kind in kinds:
            for view in subfolders(kind):
                tracklet = StoredTracklet(label, kind.name, view.name, tuple(sorted(files_in(view, [".pkl"]))))
                if not tracklet.files:
                    findings.collect([Problem(NO_FILES, str(view.relative_to(root)), "skipped", fatal=False)])
                    continue
                real = _resolved(view, _resolved(kind, _resolved(folders[label], top)))
                former = seen.setdefault(real, tracklet)
                if former is not tracklet:
                    what = f"the same folder as {former}; remove the link"
                    findings.collect([Problem(SAME_FOLDER, str(tracklet), what)])
                tracklets.append(tracklet)
    findings.collect(_other_numbers(tracklets))
    return tracklets


def unknown_tracklets(path: Path, content: Mapping[str, Any], tracklets: Sequence[StoredTracklet]) -> Iterator[Problem]:
    """Yield each entry of PROBE_SET and GALLERY_SET that names no tracklet of the test set."""
    known = {str(tracklet) for tracklet in tracklets}
    for key in (PROBE, GALLERY):
        for name in content.get(key) or ():
            if str(name) not in known:
                yield Problem(UNKNOWN, str(name), f"{key} of {path.name} names it", fatal=False)


def files_in_use(paths: list[Path], data_in_use: list | None) -> list[str]:
    """Return the files of a tracklet that `data_in_use` selects.

    Args:
        paths: all files of the tracklet.
        data_in_use: bools that mask them, or positions; None selects all.

    Raises:
        ConfigError: `data_in_use` is neither.
    """
    if data_in_use is None:
        return [str(path) for path in paths]
    if not isinstance(data_in_use, list) or not all(isinstance(use, int) for use in data_in_use):
        raise ConfigError(f"data_cfg.data_in_use: expected a list of bools or of file positions, got {data_in_use!r}.")
    if all(isinstance(use, bool) for use in data_in_use):
        return [str(path) for path in compress(paths, data_in_use)]
    return [str(paths[position]) for position in data_in_use if position < len(paths)]


def _is_name(entry: Any) -> bool:
    return isinstance(entry, str | int) and not isinstance(entry, bool)


def _missing_ids(root: Path, ids: Sequence[str], folders: Mapping[str, Path], source: str) -> Iterator[Problem]:
    missing = [label for label in ids if label not in folders]
    padded = {name.lstrip("0"): name for name in folders}
    hint = next((f"; perhaps the folder {padded[n]!r} is meant by '{n}'" for n in missing if n and n in padded), "")
    if missing and len(missing) == len(ids):
        what = f"none of the {len(ids)} ids of {source} has a folder in it, such as {missing[0]!r}{hint}"
        yield Problem(NO_FOLDER, str(root), what)
        return
    for label in missing:
        what = f"{source} lists it, but {root} has no such folder, so it is skipped{hint}"
        yield Problem(NO_FOLDER, f"id {label}", what, fatal=False)


def _twins(parent: Path, names: Mapping[str, Any] | Sequence[str]) -> Iterator[Problem]:
    for group in case_twins(names):
        what = f"{' and '.join(group)} are read as different names; are they the same?"
        yield Problem(TWINS, str(parent), what, fatal=False)


def _other_numbers(tracklets: Sequence[StoredTracklet]) -> Iterator[Problem]:
    counts = Counter(len(tracklet.files) for tracklet in tracklets)
    for tracklet in tracklets if len(counts) > 1 else ():
        usual = counts.most_common(1)[0][0]
        if len(tracklet.files) != usual:
            what = f"{len(tracklet.files)} where most tracklets have {usual}; features are identified by their order"
            yield Problem(OTHER_NUMBER, str(tracklet), what, fatal=False)


def _resolved(folder: Path, parent: str) -> str:
    """Return the path of a folder without links, given its parent's."""
    return os.path.realpath(folder) if folder.is_symlink() else f"{parent}{os.sep}{folder.name}"
