"""HITSZ-VCM's lists, read as far as they can be: every bad line is noted, where the data reader stops at the first."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from opengait.data.packs.read import Pack, open_pack
from opengait.errors import DataError
from opengait_ext.data.check.report import CountRow, Report, count_tracklets
from opengait_ext.data.hitsz_vcm.lists import FRAME_NAME, INFRARED_CODE, VISIBLE_CODE, InfoRow, read_lines
from opengait_ext.data.hitsz_vcm.reader import MINIMUM_FRAMES, NAME, PUBLISHED, modality_of
from opengait_ext.data.tracklet import Modality, Tracklet

BAD_LINE, PAST, LIST = "bad line", "row past the end of the list", "missing or unreadable list"
BOTH, ALONE, AGAINST = "person in train and test", "person in one modality only", "frame name against its row"
TWICE, SPLIT_FOLDER, SHORT = "frame in two rows", "missing folder", "nothing is left of a split"


def list_hitsz(root: Path, report: Report) -> dict[str, list[Tracklet]]:
    """The tracklets of `train` and `test`, and everything that is wrong with the lists in `report`.

    Raises:
        DataError: the folder or its `info` is not there at all.
    """
    info = root / "info"
    if not info.is_dir():
        missing = root if not root.is_dir() else info
        raise DataError(f"{NAME} cannot be checked: there is no folder {missing}; name the folder that holds info/.")
    pack = open_pack(root)
    rows: dict[str, dict[int, InfoRow]] = {}
    splits: dict[str, list[Tracklet]] = {}
    for split in ("train", "test"):
        names = _lines(info / f"{split}_name.txt", report)
        frames = _frame_paths(info / f"{split}_name.txt", names, _base_of(root, split, pack, report), report)
        # Rows cannot point past the end of a list that is not there.
        rows[split] = _rows(info / f"track_{split}_info.txt", len(names) or None, report)
        splits[split] = [
            _tracklet(row, number, frames, info / f"track_{split}_info.txt", report)
            for number, row in rows[split].items()
        ]
        if names:
            _check_overlaps(info / f"track_{split}_info.txt", rows[split], len(names), report)
        _check_partners(split, splits[split], report)
        for modality in Modality:
            report.counts.append(_count(split, splits[split], modality))
    both = sorted({row.person for row in rows["train"].values()} & {row.person for row in rows["test"].values()})
    for person in both:
        report.add(BOTH, f"person {person:04d}")
    if rows["test"]:
        _check_query(info / "query_IDX.txt", rows["test"], report)
    return splits


def _lines(path: Path, report: Report) -> list[str]:
    try:
        lines = read_lines(path)
    except DataError as error:
        report.add(LIST, path.name, str(error))
        return []
    if not lines:
        report.add(LIST, path.name, "the file is empty")
    return lines


def _base_of(root: Path, split: str, pack: Pack | None, report: Report) -> Path | None:
    """Where the people's folders are: under Train or Test, or directly under the root as in the older layout."""
    folder = root / split.capitalize()
    if pack.has_folder(folder) if pack else folder.is_dir():
        return folder
    # Names come in order, and digits before letters.
    first = [next(pack.names(), "").split("/")[0]] if pack else [path.name for path in root.iterdir() if path.is_dir()]
    if any(name.isdecimal() for name in first):
        return root
    report.add(SPLIT_FOLDER, folder, "none of its frames is there; unpack the archive again")
    return None


def _frame_paths(path: Path, names: Sequence[str], base: Path | None, report: Report) -> list[tuple[str, Path | None]]:
    """Folder and file of every line; an empty folder for a bad name."""
    frames: list[tuple[str, Path | None]] = []
    for number, name in enumerate(names, start=1):
        match = FRAME_NAME.fullmatch(name)
        if match is None:
            report.add(BAD_LINE, f"{path.name}, line {number}", f"{name!r} is no frame name")
            frames.append(("", None))
            continue
        person, modality, camera, file = match.groups()
        folder = f"{person}/{'ir' if int(modality) == INFRARED_CODE else 'rgb'}/{camera}"
        frames.append((folder, None if base is None else base / folder / file))
    return frames


def _rows(path: Path, names: int | None, report: Report) -> dict[int, InfoRow]:
    """The rows that can be used, by their number; where `names`, the length of the list of names, is known."""
    rows = {}
    for number, line in enumerate(_lines(path, report), start=1):
        where = f"{path.name}, line {number}"
        fields = line.split()
        if len(fields) != 5 or not all(field.isdecimal() for field in fields):
            report.add(BAD_LINE, where, f"{line!r} should be modality, first, last, person, camera")
            continue
        row = InfoRow(*map(int, fields))
        if row.modality not in (INFRARED_CODE, VISIBLE_CODE):
            report.add(BAD_LINE, where, f"modality {row.modality}; known are 1 (infrared) and 2 (visible)")
        elif names is not None and not 1 <= row.first <= row.last <= names:
            report.add(PAST, where, f"frames {row.first} to {row.last} of a list of {names} lines")
        else:
            rows[number] = row
    return rows


def _tracklet(
    row: InfoRow, number: int, frames: Sequence[tuple[str, Path | None]], path: Path, report: Report
) -> Tracklet:
    mine = frames[row.first - 1 : row.last]
    told = f"{row.person:04d}/{'ir' if row.modality == INFRARED_CODE else 'rgb'}/D{row.camera}"
    others = sorted({folder for folder, _ in mine if folder and folder != told})
    if others:
        report.add(
            AGAINST, f"{path.name}, line {number}", f"the row says {told}, its frames lie in {', '.join(others)}"
        )
    files = tuple(file for _, file in mine if file is not None)
    return Tracklet(row.person, modality_of(row), row.camera, files, number)


def _check_overlaps(path: Path, rows: dict[int, InfoRow], names: int, report: Report) -> None:
    last, owner = 0, 0
    covered = 0
    for number, row in sorted(rows.items(), key=lambda item: (item[1].first, item[1].last)):
        if row.first <= last:
            report.add(TWICE, f"{path.name}, line {number}", f"frame {row.first} is in line {owner} too")
        covered += max(0, row.last - max(row.first - 1, last))
        if row.last > last:
            last, owner = row.last, number
    report.remark(names - covered, f"frames of {path.name.split('_')[1]}_name.txt belong to no row")


def _check_partners(split: str, tracklets: Sequence[Tracklet], report: Report) -> None:
    kept = [tracklet for tracklet in tracklets if len(tracklet.frames) >= MINIMUM_FRAMES]
    if not kept and any(tracklet.frames for tracklet in tracklets):
        report.add(SHORT, split, f"no tracklet has {MINIMUM_FRAMES} frames or more")
    alone = _alone(tracklets)
    for person, modality in sorted(alone.items()):
        report.add(ALONE, f"person {person:04d}", f"{split} has {modality} tracklets only")
    report.remark(
        len(_alone(kept).keys() - alone.keys()),
        f"{split} identities keep one modality when tracklets of fewer than {MINIMUM_FRAMES} frames are dropped",
    )


def _alone(tracklets: Sequence[Tracklet]) -> dict[int, Modality]:
    """People seen in one modality, and which."""
    seen: dict[int, set[Modality]] = {}
    for tracklet in tracklets:
        seen.setdefault(int(tracklet.person), set()).add(tracklet.modality)
    return {person: next(iter(modalities)) for person, modalities in seen.items() if len(modalities) == 1}


def _check_query(path: Path, rows: dict[int, InfoRow], report: Report) -> None:
    seen: Counter = Counter()
    for number, line in enumerate(_lines(path, report), start=1):
        for field in line.split():
            if not field.isdecimal() or int(field) not in rows:
                where = f"{path.name}, line {number}"
                report.add(PAST if field.isdecimal() else BAD_LINE, where, f"{field!r} is no row of the test list")
            else:
                seen[int(field)] += 1
    for row, times in seen.items():
        if times > 1:
            report.add(BAD_LINE, path.name, f"row {row} is listed {times} times")
    report.remark(
        sum((rows[row].modality == INFRARED_CODE) != (row in seen) for row in rows),
        "test rows that query_IDX.txt places against their modality (queries are infrared)",
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
