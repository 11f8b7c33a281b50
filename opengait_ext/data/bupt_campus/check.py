"""The check of BUPTCampus's lists: what the reader raises first or warns about, reported in full, with counts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait_ext.data.bupt_campus.layout import CAMERAS, LISTS, PATHS_FILE, PUBLISHED
from opengait_ext.data.bupt_campus.lists import read_paths
from opengait_ext.data.bupt_campus.splits import check_root, read_splits, same_camera_pairs, single_frames
from opengait_ext.data.check.report import CountRow, Report, count_tracklets
from opengait_ext.data.summary import remark_lines
from opengait_ext.data.tracklet import Modality, Tracklet

CAMERA_NAMES = {number: name for name, number in CAMERAS.items()}


def check_bupt_lists(root: Path, report: Report) -> dict[str, list[Tracklet]]:
    """Return the tracklets of the four lists, and add all problems of the lists to the report.

    Raises:
        DataError: the folder does not exist, or `data_paths.json` cannot be read.
    """
    pack = open_pack(root)
    check_root(root, pack)
    paths = read_paths(root)
    splits = read_splits(root, paths, report, LISTS, pack)
    for split, tracklets in splits.items():
        report.counts += [_count(split, tracklets, modality) for modality in (*Modality, None)]
    pairs = (same_camera_pairs(splits), "pairs of a query and a gallery tracklet share person and camera")
    report.remarks += remark_lines([pairs, _unlisted(paths, splits), single_frames(splits)])
    return splits


def _unlisted(paths: Mapping[str, Any], splits: Mapping[str, Sequence[Tracklet]]) -> tuple[int, str]:
    """Return the remark on tracklets of `data_paths.json` in no list; the published dataset has 1,898 of them."""
    levels: list[Any] = [paths]
    for _ in ("person", "modality", "camera"):
        levels = [value for level in levels if isinstance(level, dict) for value in level.values()]
    known = sum(len(tracks) for tracks in levels if isinstance(tracks, dict))
    return known - sum(map(len, splits.values())), f"tracklets of {PATHS_FILE} are in no list"


def _count(split: str, tracklets: Sequence[Tracklet], modality: Modality | None) -> CountRow:
    row = count_tracklets(split, tracklets, modality, CAMERA_NAMES)
    published = PUBLISHED[split, row.modality]
    row.published = {
        "identities": published.identities,
        "tracklets": published.listed,
        "frames": published.frames,
    }
    return row
