"""The check of OpenGait's layout, `<id>/<type>/<view>/*.pkl` with a partition file."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from opengait.data import layout
from opengait.data.folders import subfolders
from opengait.data.layout import StoredTracklet
from opengait.data.problems import Problem
from opengait.data.text_files import read_json
from opengait_ext.data.check.pool import check_all
from opengait_ext.data.check.report import CountRow, Report
from opengait_ext.data.opengait_layout.pickles import ODD, PickleCheck, PickleLook, odd_shapes
from opengait_ext.data.rules import ALONE, people_in_one_modality
from opengait_ext.data.tracklet import Modality, parse_view

UNEQUAL = "features of unequal length"
SPLITS = {"train": layout.TRAIN, "test": layout.TEST}


def check_opengait(
    root: Path, partition: Path, report: Report, fast: bool = False, workers: int = 1, progress: bool = False
) -> dict[str, list[StoredTracklet]]:
    """Check all files, and return the tracklets of `train` and `test`.

    Raises:
        DataError: the folder is missing, or the partition file is missing or unreadable.
    """
    content = read_json(partition, "pass the partition file with --partition FILE.json")
    report.collect(layout.problems_of_lists(partition, content))
    content = {key: entries for key, entries in content.items() if isinstance(entries, list)}
    report.collect(layout.problems_between_lists(partition, content))
    ids = {split: layout.ids_of(content, key, partition, report) for split, key in SPLITS.items()}
    splits = {
        split: layout.find_tracklets(root, list(dict.fromkeys(ids[split])), f"{key} in {partition}", report)
        for split, key in SPLITS.items()
    }
    listed = {label for labels in ids.values() for label in labels}
    report.remark(len({path.name for path in subfolders(root)} - listed), "ids on disk are in no list")
    report.collect(layout.unknown_tracklets(partition, content, splits["test"]))
    frames = _check_files(root, splits, report, PickleCheck(fast), workers, progress)
    for split, tracklets in splits.items():
        report.counts += _counts(split, tracklets, frames)
        report.collect(_alone(split, tracklets))
    return splits


def _check_files(
    root: Path,
    splits: dict[str, list[StoredTracklet]],
    report: Report,
    check: PickleCheck,
    workers: int,
    progress: bool,
) -> dict[Path, int]:
    """Check every file, and return the number of frames by file."""
    tracklets = [tracklet for folders in splits.values() for tracklet in folders]
    files = list(dict.fromkeys(file for tracklet in tracklets for file in tracklet.files))
    results = check_all([str(file) for file in files], check, workers, progress, "file")
    looks: dict[Path, PickleLook] = dict(zip(files, results, strict=True))
    report.frames = len(files)
    for file, look in looks.items():
        if look.kind:
            report.add(look.kind, file.relative_to(root), look.what)
    features: dict[int, list[Path]] = defaultdict(list)
    for tracklet in tracklets:
        for index, file in enumerate(tracklet.files):
            features[index].append(file)
        lengths = {file.name: looks[file].frames for file in tracklet.files if looks[file].frames > 0}
        if len(set(lengths.values())) > 1:
            what = ", ".join(f"{name}: {frames}" for name, frames in lengths.items())
            report.add(UNEQUAL, str(tracklet), what)
    for number, paths in features.items():
        known = [look for look in (looks[path] for path in paths) if look.low <= look.high]
        if known:
            low, high = min(look.low for look in known), max(look.high for look in known)
            report.remarks.append(f"feature {number} ({paths[0].name}, ...): values from {low:g} to {high:g}")
        for index, what in odd_shapes([looks[path] for path in paths]):
            report.add(ODD, paths[index].relative_to(root), what)
    return {file: max(0, look.frames) for file, look in looks.items()}


def _counts(split: str, tracklets: Sequence[StoredTracklet], frames: dict[Path, int]) -> Iterator[CountRow]:
    kinds = sorted({tracklet.type for tracklet in tracklets})
    for kind in kinds if _cross_modal(tracklets) else ["all"]:
        selected = [tracklet for tracklet in tracklets if kind in ("all", tracklet.type)]
        counts = {
            "identities": len({tracklet.label for tracklet in selected}),
            "types": len({tracklet.type for tracklet in selected}),
            "views": len({tracklet.view for tracklet in selected}),
            "tracklets": len(selected),
            "frames": sum(frames[tracklet.files[0]] for tracklet in selected),
        }
        yield CountRow(split, kind, counts, cameras=_cameras(selected) if _cross_modal(tracklets) else [])


def _cameras(tracklets: Sequence[StoredTracklet]) -> list[str]:
    try:
        return [str(camera) for camera in sorted({parse_view(tracklet.view).camera for tracklet in tracklets})]
    except ValueError:
        return []


def _cross_modal(tracklets: Sequence[StoredTracklet]) -> bool:
    """Return whether the types are modalities, so that every person should have both."""
    return bool(tracklets) and {tracklet.type for tracklet in tracklets} <= {str(modality) for modality in Modality}


def _alone(split: str, tracklets: Sequence[StoredTracklet]) -> Iterator[Problem]:
    seen = ((tracklet.label, tracklet.type) for tracklet in (tracklets if _cross_modal(tracklets) else ()))
    for label, kind in people_in_one_modality(seen).items():
        yield Problem(ALONE, f"id {label}", f"{split} has {kind} tracklets only", fatal=False)
