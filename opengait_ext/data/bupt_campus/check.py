"""The check of BUPTCampus's lists: what the reader raises first or warns about, reported in full, with counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.bupt_campus.layout import CAMERAS, FRAMES, LISTS, NAME, PATHS_FILE, PUBLISHED
from opengait_ext.data.bupt_campus.lists import read_paths
from opengait_ext.data.bupt_campus.splits import read_splits
from opengait_ext.data.check.report import CountRow, Report, count_tracklets
from opengait_ext.data.files import has_folder
from opengait_ext.data.tracklet import Modality, Tracklet

CAMERA_NAMES = {number: name for name, number in CAMERAS.items()}


def check_bupt_lists(root: Path, report: Report) -> dict[str, list[Tracklet]]:
    """Return the tracklets of the four lists, and add all problems of the lists to the report.

    Raises:
        DataError: the folder does not exist, or `data_paths.json` cannot be read.
    """
    folder = root / FRAMES
    pack = open_pack(root)
    if not has_folder(folder, pack):
        missing = folder if root.is_dir() else root
        raise DataError(f"{NAME} cannot be checked: there is no folder {missing}; pass the folder that holds DATA/.")
    paths = read_paths(root)
    splits = read_splits(root, paths, report, LISTS, pack)
    for split, tracklets in splits.items():
        report.counts += [_count(split, tracklets, modality) for modality in (*Modality, None)]
    cameras = Counter((t.person, t.camera) for t in splits["gallery"])
    report.remark(
        sum(cameras[t.person, t.camera] for t in splits["query"]),
        "pairs of a query and a gallery tracklet share person and camera",
    )
    _count_unlisted(paths, splits, report)
    return splits


def _count_unlisted(paths: Mapping[str, Any], splits: dict[str, list[Tracklet]], report: Report) -> None:
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
