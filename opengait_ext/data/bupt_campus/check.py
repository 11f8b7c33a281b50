"""BUPTCampus's lists, read as far as they can be: every bad line is noted, where the data reader stops at the first."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.bupt_campus.lists import (
    CAMERAS,
    INFRARED_CODE,
    PAIR_CODE,
    VISIBLE_CODE,
    ListRow,
    frames_of,
    read_paths,
    read_text,
)
from opengait_ext.data.bupt_campus.reader import MODALITY_OF, NAME, PUBLISHED
from opengait_ext.data.check.report import CountRow, Report, count_tracklets
from opengait_ext.data.tracklet import FrameFiles, Modality, Role, Tracklet

BAD_LINE, LIST, UNKNOWN = "bad line", "missing or unreadable list", "tracklet without frames"
TWO_LISTS, ALONE, UNEQUAL = "person in two lists", "person in one modality only", "pair of unequal length"
AGAINST, TWICE = "frame file against its tracklet", "tracklet listed twice"
NO_MATCH = "query without a match in the gallery"
PAIRED, SINGLE = (PAIR_CODE,), (VISIBLE_CODE, INFRARED_CODE)
LISTS = {"train": PAIRED, "train_auxiliary": PAIRED, "query": SINGLE, "gallery": SINGLE}
NAMES = {number: name for name, number in CAMERAS.items()}


def list_bupt(root: Path, report: Report) -> dict[str, list[Tracklet]]:
    """The tracklets of the four lists, and everything that is wrong with the lists in `report`.

    Raises:
        DataError: the folder is not there at all, or `data_paths.json`, which knows the frames, cannot be read.
    """
    pack = open_pack(root)
    folder = root / "DATA"
    if not (pack.has_folder(folder) if pack else folder.is_dir()):
        missing = root if not root.is_dir() else folder
        raise DataError(f"{NAME} cannot be checked: there is no folder {missing}; name the folder that holds DATA/.")
    paths = read_paths(root / "data_paths.json")
    splits: dict[str, list[Tracklet]] = {}
    for name, codes in LISTS.items():
        rows = list(_rows(root / f"{name}.txt", codes, report))
        split = "auxiliary" if name == "train_auxiliary" else name
        splits[split] = [tracklet for row in rows for tracklet in _tracklets(row, folder, paths, name, report)]
        report.counts += [_count(split, splits[split], modality) for modality in (*Modality, None)]
    _check_people(splits, report)
    _check_unlisted(paths, splits, report)
    return splits


def _rows(path: Path, codes: tuple[str, ...], report: Report) -> Iterator[ListRow]:
    try:
        lines = read_text(path).rstrip().split("\n")
    except DataError as error:
        report.add(LIST, path.name, str(error))
        return
    seen: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines, start=1):
        where, fields = f"{path.name}, line {number}", line.split()
        if len(fields) != 4 or not fields[0].isdecimal():
            report.add(BAD_LINE, where, f"{line.strip()!r} should be person, modality, camera and track")
        elif fields[1] not in codes:
            report.add(BAD_LINE, where, f"modality {fields[1]}; this list has {' and '.join(codes)}")
        elif fields[2] not in CAMERAS:
            report.add(BAD_LINE, where, f"camera {fields[2]}; known are {', '.join(CAMERAS)}")
        elif tuple(fields) in seen:
            report.add(TWICE, where, f"as in line {seen[tuple(fields)]}")
        else:
            seen[tuple(fields)] = number
            yield ListRow(*fields, number=number)


def _tracklets(row: ListRow, folder: Path, paths: dict[str, Any], name: str, report: Report) -> Iterator[Tracklet]:
    """The one tracklet of a row, or the two of a pair."""
    where = f"{name}.txt, line {row.number}"
    lengths = {}
    for code in (VISIBLE_CODE, INFRARED_CODE) if row.modality == PAIR_CODE else (row.modality,):
        try:
            frames = frames_of(paths, row, code, Path(f"{name}.txt"))
        except DataError as error:
            report.add(UNKNOWN, where, str(error).removeprefix(f"{where}:").strip())
            continue
        told = f"{row.person}/{code}/{row.camera}/{row.person}_{code}_{row.camera}_{row.track}_"
        others = [frame for frame in frames if not frame.startswith(told)]
        if others:
            report.add(AGAINST, where, f"{len(others)} frames should start with {told}, such as {others[0]}")
        lengths[code] = len(frames)
        role = Role.QUERY if name == "query" else None
        files = FrameFiles(folder, frames)
        yield Tracklet(row.person, MODALITY_OF[code], CAMERAS[row.camera], files, row.number, role)
    if len(set(lengths.values())) > 1:
        report.add(UNEQUAL, where, f"{lengths[VISIBLE_CODE]} RGB and {lengths[INFRARED_CODE]} IR frames")


def _check_people(splits: dict[str, list[Tracklet]], report: Report) -> None:
    people = {split: {str(tracklet.person) for tracklet in tracklets} for split, tracklets in splits.items()}
    for one, other in combinations(people, 2):
        if {one, other} != {"query", "gallery"}:
            for person in sorted(people[one] & people[other], key=int):
                report.add(TWO_LISTS, f"person {person}", f"in the {one} and in the {other} list")
    for phase, parts in (("train", ("train",)), ("auxiliary", ("auxiliary",)), ("test", ("query", "gallery"))):
        seen: dict[str, set[Modality]] = {}
        for tracklet in (tracklet for part in parts for tracklet in splits[part]):
            seen.setdefault(str(tracklet.person), set()).add(tracklet.modality)
        for person in sorted((person for person, both in seen.items() if len(both) == 1), key=int):
            report.add(ALONE, f"person {person}", f"{phase} has {next(iter(seen[person]))} tracklets only")
    in_gallery = {(str(t.person), t.modality) for t in splits["gallery"]}
    for query in splits["query"] if in_gallery else ():
        wanted = Modality.INFRARED if query.modality is Modality.VISIBLE else Modality.VISIBLE
        if (str(query.person), wanted) not in in_gallery:
            where = f"query.txt, line {query.track}"
            report.add(NO_MATCH, where, f"person {query.person} has no {wanted} tracklet in the gallery")
    cameras = Counter((str(t.person), t.camera) for t in splits["gallery"])
    report.remark(
        sum(cameras[str(t.person), t.camera] for t in splits["query"]),
        "times a query and a gallery tracklet share person and camera",
    )


def _check_unlisted(paths: dict[str, Any], splits: dict[str, list[Tracklet]], report: Report) -> None:
    """Tracklets of `data_paths.json` that no list names; 1,898 of the published data set are so."""
    known = sum(
        len(tracks)
        for modalities in paths.values()
        if isinstance(modalities, dict)
        for cameras in modalities.values()
        if isinstance(cameras, dict)
        for tracks in cameras.values()
        if isinstance(tracks, dict)
    )
    listed = sum(len(tracklets) for tracklets in splits.values())
    report.remark(known - listed, "tracklets of data_paths.json are in no list")
    lone = sum(len(t.frames) == 1 for tracklets in splits.values() for t in tracklets)
    report.remark(lone, "tracklets of a single frame")


def _count(split: str, tracklets: Sequence[Tracklet], modality: Modality | None) -> CountRow:
    row = count_tracklets(split, tracklets, modality, NAMES)
    published = PUBLISHED[split, row.modality]
    row.published = {
        "identities": published.identities,
        "tracklets": published.listed,
        "frames": published.frames,
    }
    return row
