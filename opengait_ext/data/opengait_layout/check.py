"""The check of OpenGait's layout, `<id>/<type>/<view>/*.pkl` with a partition file."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from opengait.data.dataset import read_partition
from opengait.errors import DataError
from opengait_ext.data.check.pool import check_all
from opengait_ext.data.check.report import ALONE, CountRow, Report, people_in_one_modality
from opengait_ext.data.opengait_layout.pickles import ODD, PickleCheck, PickleLook, odd_shapes
from opengait_ext.data.tracklet import Modality, parse_view

BOTH, NO_FOLDER, UNKNOWN = "id in train and test", "listed id without a folder", "listed tracklet without a folder"
NO_FILES, UNEQUAL, OTHER_NUMBER = "tracklet without .pkl files", "features of unequal length", "other number of files"
PARTITION = "partition file"
SPLITS = {"train": "TRAIN_SET", "test": "TEST_SET"}


@dataclass(frozen=True)
class Folder:
    """A tracklet: its folder and its feature files, in the order in which the dataset reads them."""

    label: str
    type: str
    view: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.label}-{self.type}-{self.view}"


def check_opengait(
    root: Path, partition: Path, report: Report, fast: bool = False, workers: int = 1, progress: bool = False
) -> dict[str, list[Folder]]:
    """Check all files, and return the tracklets of `train` and `test`.

    Raises:
        DataError: the folder is missing, or the partition file is missing or unreadable.
    """
    if not root.is_dir():
        raise DataError(f"There is no folder {root}; pass the root of the dataset.")
    listed = _listed(partition, report)
    on_disk = {path.name for path in _folders(root)}
    splits: dict[str, list[Folder]] = {}
    for split, labels in listed.items():
        for label in labels:
            if label not in on_disk:
                report.add(NO_FOLDER, f"{split} id {label}", f"{partition.name} lists it, {root} has no such folder")
        splits[split] = list(_tracklets(root, [label for label in labels if label in on_disk], report))
    for label in sorted(set(listed["train"]) & set(listed["test"])):
        report.add(BOTH, f"id {label}", f"in TRAIN_SET and TEST_SET of {partition.name}")
    report.remark(
        len(on_disk - {label for labels in listed.values() for label in labels}), "ids on disk are in no list"
    )
    _check_listed_tracklets(partition, splits["test"], report)
    frames = _check_files(root, splits, report, PickleCheck(fast), workers, progress)
    for split, tracklets in splits.items():
        report.counts += _counts(split, tracklets, frames)
        _check_partners(split, tracklets, report)
    return splits


def _listed(partition: Path, report: Report) -> dict[str, list[str]]:
    content = read_partition(partition)
    listed = {}
    for split, key in SPLITS.items():
        labels = content.get(key)
        if not isinstance(labels, list):
            report.add(PARTITION, partition.name, f"there is no list {key}")
            labels = []
        listed[split] = list(dict.fromkeys(map(str, labels)))
        if len(listed[split]) < len(labels):
            report.add(PARTITION, partition.name, f"{key} names {len(labels) - len(listed[split])} ids more than once")
    return listed


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


def _tracklets(root: Path, labels: Sequence[str], report: Report) -> Iterator[Folder]:
    for label in labels:
        for kind in _folders(root / label):
            for view in _folders(kind):
                files = tuple(sorted(view.glob("*.pkl")))
                if files:
                    yield Folder(label, kind.name, view.name, files)
                else:
                    report.add(NO_FILES, view.relative_to(root))


def _check_listed_tracklets(partition: Path, tracklets: Sequence[Folder], report: Report) -> None:
    """Check that PROBE_SET and GALLERY_SET name tracklets of the test set."""
    known = {str(tracklet) for tracklet in tracklets}
    content = read_partition(partition)
    for key in ("PROBE_SET", "GALLERY_SET"):
        for name in content.get(key) or []:
            if name not in known:
                report.add(UNKNOWN, str(name), f"{key} of {partition.name} names it")


def _check_files(
    root: Path, splits: dict[str, list[Folder]], report: Report, check: PickleCheck, workers: int, progress: bool
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
    for paths in features.values():
        for index, what in odd_shapes([looks[path] for path in paths]):
            report.add(ODD, paths[index].relative_to(root), what)
    counts = [len(tracklet.files) for tracklet in tracklets]
    common = max(set(counts), key=counts.count, default=0)
    for tracklet in tracklets:
        if len(tracklet.files) != common:
            report.add(OTHER_NUMBER, str(tracklet), f"{len(tracklet.files)} where most tracklets have {common}")
    return {file: max(0, look.frames) for file, look in looks.items()}


def _counts(split: str, tracklets: Sequence[Folder], frames: dict[Path, int]) -> Iterator[CountRow]:
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


def _cameras(tracklets: Sequence[Folder]) -> list[str]:
    try:
        return [str(camera) for camera in sorted({parse_view(tracklet.view).camera for tracklet in tracklets})]
    except ValueError:
        return []


def _cross_modal(tracklets: Sequence[Folder]) -> bool:
    """Return whether the types are modalities, so that every person should have both."""
    return bool(tracklets) and {tracklet.type for tracklet in tracklets} <= {str(modality) for modality in Modality}


def _check_partners(split: str, tracklets: Sequence[Folder], report: Report) -> None:
    if not _cross_modal(tracklets):
        return
    for label, kind in people_in_one_modality((tracklet.label, tracklet.type) for tracklet in tracklets).items():
        report.add(ALONE, f"id {label}", f"{split} has {kind} tracklets only")
