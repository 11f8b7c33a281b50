"""The check of BUPTCampus's lists, which reports every problem where the reader raises the first."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.bupt_campus.layout import CAMERAS, FRAMES, LISTS, MODALITIES, NAME, PATHS_FILE, PUBLISHED, SOURCE
from opengait_ext.data.bupt_campus.lists import ListRow, parse_frames, parse_list, read_paths
from opengait_ext.data.check.report import ALONE, CountRow, Report, count_tracklets, people_in_one_modality
from opengait_ext.data.files import has_folder, shared_people
from opengait_ext.data.tracklet import FrameFiles, Modality, Role, Tracklet

TWO_LISTS, AGAINST = "person in two lists", "frame file against its tracklet"
NO_MATCH = "query without a match in the gallery"
CAMERA_NAMES = {number: name for name, number in CAMERAS.items()}


def check_bupt_lists(root: Path, report: Report) -> dict[str, list[Tracklet]]:
    """Return the tracklets of the four lists, and add all problems of the lists to the report.

    Raises:
        DataError: the folder does not exist, or `data_paths.json` cannot be read.
    """
    folder = root / FRAMES
    if not has_folder(folder, open_pack(root)):
        missing = folder if root.is_dir() else root
        raise DataError(f"{NAME} cannot be checked: there is no folder {missing}; pass the folder that holds DATA/.")
    paths = read_paths(root)
    splits: dict[str, list[Tracklet]] = {}
    for split, (name, codes) in LISTS.items():
        path = root / name
        rows = report.collect(parse_list(path, report.read_lines(path, SOURCE), codes))
        role = Role.QUERY if split == "query" else None
        splits[split] = [t for row in rows for t in _tracklets(row, path, paths, folder, role, report)]
        report.counts += [_count(split, splits[split], modality) for modality in (*Modality, None)]
    _check_people(splits, report)
    _check_matches(splits, report)
    _count_unlisted(paths, splits, report)
    return splits


def _tracklets(
    row: ListRow, path: Path, paths: dict[str, Any], folder: Path, role: Role | None, report: Report
) -> Iterator[Tracklet]:
    """Yield the tracklet of a row, or the two of a pair."""
    for code, frames in report.collect(parse_frames(paths, row, path)):
        start = f"{row.person}/{code}/{row.camera}/{row.person}_{code}_{row.camera}_{row.track}_"
        others = [frame for frame in frames if not frame.startswith(start)]
        if others:
            what = f"{len(others)} frames should start with {start}, such as {others[0]}"
            report.add(AGAINST, f"{path.name}, line {row.number}", what)
        files = FrameFiles(folder, frames)
        yield Tracklet(row.person, MODALITIES[code], CAMERAS[row.camera], files, row.number, role)


def _check_people(splits: dict[str, list[Tracklet]], report: Report) -> None:
    people = {split: {str(tracklet.person) for tracklet in tracklets} for split, tracklets in splits.items()}
    for one, other, shared in shared_people(people):
        for person in shared if {one, other} != {"query", "gallery"} else ():
            report.add(TWO_LISTS, f"person {person}", f"in the {one} and in the {other} list")
    test = [*splits["query"], *splits["gallery"]]
    for phase, tracklets in (("train", splits["train"]), ("auxiliary", splits["auxiliary"]), ("test", test)):
        for person, modality in people_in_one_modality((str(t.person), t.modality) for t in tracklets).items():
            report.add(ALONE, f"person {person}", f"{phase} has {modality} tracklets only")


def _check_matches(splits: dict[str, list[Tracklet]], report: Report) -> None:
    in_gallery = {(str(t.person), t.modality) for t in splits["gallery"]}
    for query in splits["query"] if in_gallery else ():
        other = Modality.INFRARED if query.modality is Modality.VISIBLE else Modality.VISIBLE
        if (str(query.person), other) not in in_gallery:
            what = f"person {query.person} has no {other} tracklet in the gallery"
            report.add(NO_MATCH, f"query.txt, line {query.track}", what)
    cameras = Counter((str(t.person), t.camera) for t in splits["gallery"])
    report.remark(
        sum(cameras[str(t.person), t.camera] for t in splits["query"]),
        "pairs of a query and a gallery tracklet share person and camera",
    )


def _count_unlisted(paths: dict[str, Any], splits: dict[str, list[Tracklet]], report: Report) -> None:
    """Remark on tracklets of `data_paths.json` in no list; the published dataset has 1,898 of them."""
    levels: list[Any] = [paths]
    for _ in ("person", "modality", "camera"):
        levels = [value for level in levels if isinstance(level, dict) for value in level.values()]
    known = sum(len(tracks) for tracks in levels if isinstance(tracks, dict))
    listed = sum(len(tracklets) for tracklets in splits.values())
    report.remark(known - listed, f"tracklets of {PATHS_FILE} are in no list")
    single = sum(len(t.frames) == 1 for tracklets in splits.values() for t in tracklets)
    report.remark(single, "tracklets of a single frame")


def _count(split: str, tracklets: Sequence[Tracklet], modality: Modality | None) -> CountRow:
    row = count_tracklets(split, tracklets, modality, CAMERA_NAMES)
    published = PUBLISHED[split, row.modality]
    row.published = {
        "identities": published.identities,
        "tracklets": published.listed,
        "frames": published.frames,
    }
    return row
