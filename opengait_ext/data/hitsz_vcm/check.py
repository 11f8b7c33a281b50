"""The check of HITSZ-VCM's lists, which reports every problem where the reader raises the first."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.check.report import ALONE, CountRow, Report, count_tracklets, people_in_one_modality
from opengait_ext.data.files import Problem, shared_people
from opengait_ext.data.hitsz_vcm.layout import (
    INFO_SOURCE,
    MINIMUM_FRAMES,
    NAME,
    PUBLISHED,
    find_base,
    names_file,
    query_file,
    rows_file,
)
from opengait_ext.data.hitsz_vcm.lists import FrameName, InfoRow, parse_names, parse_query, parse_rows
from opengait_ext.data.tracklet import FrameFiles, Modality, Tracklet

BOTH, AGAINST, TWICE = "person in train and test", "frame name against its row", "frame in two rows"
SPLIT_FOLDER, SHORT = "missing folder", "nothing is left of a split"

Rows = Mapping[int, InfoRow]


def check_hitsz_lists(root: Path, report: Report) -> dict[str, list[Tracklet]]:
    """Return the tracklets of `train` and `test`, and add all problems of the lists to the report.

    Raises:
        DataError: the folder does not exist, or has no `info`.
    """
    info = root / "info"
    if not info.is_dir():
        missing = info if root.is_dir() else root
        raise DataError(f"{NAME} cannot be checked: there is no folder {missing}; pass the folder that holds info/.")
    rows: dict[str, Rows] = {}
    splits: dict[str, list[Tracklet]] = {}
    for split in ("train", "test"):
        path = names_file(root, split)
        names = list(parse_names(path, report.read_lines(path, INFO_SOURCE)))
        report.collect(names)
        base = _find_base(root, split, names, report)
        path = rows_file(root, split)
        # Without the list of names, it is unknown which rows point past its end.
        parsed = parse_rows(path, report.read_lines(path, INFO_SOURCE), len(names) or None)
        rows[split] = {row.number: row for row in report.collect(parsed)}
        splits[split] = [_tracklet(row, names, base, path, report) for row in rows[split].values()]
        if names:
            _check_overlaps(path, rows[split].values(), len(names), report)
        _check_partners(split, splits[split], report)
        report.counts += [_count(split, splits[split], modality) for modality in Modality]
    for _, _, people in shared_people({split: {row.person for row in rows[split].values()} for split in splits}):
        for person in people:
            report.add(BOTH, f"person {person:04d}")
    if rows["test"]:
        _check_query(query_file(root), rows["test"], report)
    return splits


def _find_base(root: Path, split: str, names: Sequence[FrameName | Problem], report: Report) -> Path | None:
    """Return the folder that holds the people of a split, None if no folder of its frames exists."""
    folders = dict.fromkeys(name.folder for name in names if not isinstance(name, Problem))
    base = find_base(root, split, folders, open_pack(root))
    if folders and base is None:
        report.add(SPLIT_FOLDER, root / split.capitalize(), "none of its frames exist; unpack the archive again")
    return base


def _tracklet(
    row: InfoRow, names: Sequence[FrameName | Problem], base: Path | None, path: Path, report: Report
) -> Tracklet:
    frames = [name for name in names[row.first - 1 : row.last] if not isinstance(name, Problem)]
    others = sorted({frame.folder for frame in frames} - {row.folder})
    if others:
        what = f"the row belongs to {row.folder}, but its frames lie in {', '.join(others)}"
        report.add(AGAINST, f"{path.name}, line {row.number}", what)
    files = FrameFiles(base, tuple(f"{frame.folder}/{frame.file}" for frame in frames)) if base else ()
    return Tracklet(row.person, row.modality, row.camera, files, row.number)


def _check_overlaps(path: Path, rows: Iterable[InfoRow], names: int, report: Report) -> None:
    last, owner = 0, 0
    covered = 0
    for row in sorted(rows, key=lambda row: (row.first, row.last)):
        if row.first <= last:
            report.add(TWICE, f"{path.name}, line {row.number}", f"frame {row.first} is in line {owner} too")
        covered += max(0, row.last - max(row.first - 1, last))
        if row.last > last:
            last, owner = row.last, row.number
    report.remark(names - covered, f"frames of {path.name.split('_')[1]}_name.txt belong to no row")


def _check_partners(split: str, tracklets: Sequence[Tracklet], report: Report) -> None:
    kept = [tracklet for tracklet in tracklets if len(tracklet.frames) >= MINIMUM_FRAMES]
    if not kept and any(tracklet.frames for tracklet in tracklets):
        report.add(SHORT, split, f"no tracklet has {MINIMUM_FRAMES} frames or more")
    before, after = (
        people_in_one_modality((f"person {t.person:04d}", t.modality) for t in part) for part in (tracklets, kept)
    )
    for person, modality in before.items():
        report.add(ALONE, person, f"{split} has {modality} tracklets only")
    report.remark(
        len(after.keys() - before.keys()),
        f"{split} identities keep one modality when tracklets of fewer than {MINIMUM_FRAMES} frames are dropped",
    )


def _check_query(path: Path, rows: Rows, report: Report) -> None:
    queries = set(report.collect(parse_query(path, report.read_lines(path, INFO_SOURCE), rows)))
    report.remark(
        sum((row.modality is Modality.INFRARED) != (number in queries) for number, row in rows.items()),
        "test rows whose modality contradicts query_IDX.txt (queries are infrared)",
    )


def _count(split: str, tracklets: Sequence[Tracklet], modality: Modality) -> CountRow:
    row = count_tracklets(split, tracklets, modality, {})
    kept = [t for t in tracklets if t.modality is modality and len(t.frames) >= MINIMUM_FRAMES]
    row.found[f"of {MINIMUM_FRAMES}+"] = len(kept)
    row.found["their frames"] = sum(len(t.frames) for t in kept)
    published = PUBLISHED[split, modality]
    row.published = {
        "identities": published.identities,
        "tracklets": published.listed,
        f"of {MINIMUM_FRAMES}+": published.kept,
        "their frames": published.frames,
    }
    return row
