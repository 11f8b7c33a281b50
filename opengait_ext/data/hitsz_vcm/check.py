"""The check of HITSZ-VCM's lists: what the reader raises first or warns about, reported in full, with counts."""

from collections.abc import Sequence
from pathlib import Path

from opengait.data.packs.read import open_pack
from opengait.data.problems import Problem
from opengait.errors import DataError
from opengait_ext.data.check.report import CountRow, Report, count_tracklets
from opengait_ext.data.hitsz_vcm.layout import MINIMUM_FRAMES, NAME, PUBLISHED
from opengait_ext.data.hitsz_vcm.splits import SHORT, Split, read_queries, read_splits
from opengait_ext.data.rules import people_in_one_modality
from opengait_ext.data.tracklet import Modality, Tracklet


def check_hitsz_lists(
    root: Path, report: Report, minimum_frames: int | None = None, discard_lists: Sequence[str | Path] = ()
) -> dict[str, list[Tracklet]]:
    """Return the tracklets of `train` and `test`, and add all problems of the lists to the report.

    Args:
        root: the folder of `info/`.
        report: the report.
        minimum_frames: of the configuration that is to be used; None without one, where the reader's default counts
            tracklets, but a split of short tracklets is no problem.
        discard_lists: of the configuration.

    Raises:
        DataError: the folder does not exist, or has no `info`; or a discard list cannot be read.
    """
    info = root / "info"
    if not info.is_dir():
        missing = info if root.is_dir() else root
        raise DataError(f"{NAME} cannot be checked: there is no folder {missing}; pass the folder that holds info/.")
    minimum = MINIMUM_FRAMES if minimum_frames is None else minimum_frames
    given = "the reader's default; --cfgs FILE takes a configuration's" if minimum_frames is None else "as configured"
    report.remarks.append(f"minimum_frames is {minimum} ({given})")
    lists = [Path(path).expanduser().absolute() for path in discard_lists]
    splits = read_splits(root, open_pack(root), report, minimum, lists)
    for split, part in splits.items():
        _check_kept(split, part, minimum, minimum_frames is not None, report)
        report.remark(part.discarded_frames, f"{split} frames are named in the discard lists")
        report.remark(part.unused, f"frames of {split}_name.txt belong to no row")
        report.counts += [_count(split, part, modality, minimum) for modality in Modality]
    queries = read_queries(root, report, splits["test"].rows)
    report.remark(
        sum((row.modality is Modality.INFRARED) != (row.number in queries) for row in splits["test"].rows),
        "test rows whose modality contradicts query_IDX.txt (queries are infrared)",
    )
    return {split: part.tracklets for split, part in splits.items()}


def _check_kept(split: str, part: Split, minimum: int, configured: bool, report: Report) -> None:
    if not part.kept and any(tracklet.frames for tracklet in part.tracklets):
        what = f"no {split} tracklet has {minimum} frames or more"
        if configured:
            report.collect([Problem(SHORT, split, f"{what}; lower data_cfg.minimum_frames")])
        else:
            report.remarks.append(f"{what}: set data_cfg.minimum_frames lower to use this data")
    before, after = (
        people_in_one_modality((t.label, t.modality) for t in tracklets) for tracklets in (part.tracklets, part.kept)
    )
    report.remark(
        len(after.keys() - before.keys()),
        f"{split} identities keep one modality when tracklets of fewer than {minimum} frames are dropped",
    )


def _count(split: str, part: Split, modality: Modality, minimum: int) -> CountRow:
    row = count_tracklets(split, part.tracklets, modality, {})
    kept = [t for t in part.kept if t.modality is modality]
    row.found[f"of {minimum}+"] = len(kept)
    row.found["their frames"] = sum(len(t.frames) for t in kept)
    published = PUBLISHED[split, modality]
    row.published = {"identities": published.identities, "tracklets": published.listed}
    if minimum == MINIMUM_FRAMES:
        row.published |= {f"of {minimum}+": published.kept, "their frames": published.frames}
    return row
