"""The check of HITSZ-VCM's lists: what the reader raises first or warns about, reported in full, with counts."""

from collections.abc import Sequence
from pathlib import Path

from opengait.data.packs.read import open_pack
from opengait_ext.data.check.report import CountRow, Report, count_tracklets
from opengait_ext.data.hitsz_vcm.layout import MINIMUM_FRAMES, PUBLISHED
from opengait_ext.data.hitsz_vcm.splits import SHORT, Split, check_root, read_queries, read_splits, remarks_of
from opengait_ext.data.summary import remark_lines
from opengait_ext.data.tracklet import Modality, Tracklet


def check_hitsz_lists(
    root: Path, report: Report, minimum_frames: int | None = None, discard_lists: Sequence[str | Path] = ()
) -> dict[str, list[Tracklet]]:
    """Return the tracklets of `train` and `test`, and add all problems of the lists to the report.

    Args:
        root: the folder of `info/`.
        report: the report.
        minimum_frames: of the configuration that is to be used; None without one, where the reader's default counts
            tracklets, but a split of short tracklets is not a problem.
        discard_lists: of the configuration.

    Raises:
        DataError: the folder does not exist, or has no `info`; or a discard list cannot be read.
    """
    check_root(root)
    minimum = MINIMUM_FRAMES if minimum_frames is None else minimum_frames
    given = "the reader's default; --cfgs FILE takes a configuration's" if minimum_frames is None else "as configured"
    report.remarks.append(f"minimum_frames is {minimum} ({given})")
    lists = [Path(path).expanduser().absolute() for path in discard_lists]
    splits = read_splits(root, open_pack(root), report, minimum, lists)
    queries = read_queries(root, report, splits["test"].rows)
    if minimum_frames is None:
        # The data may serve a configuration with another rule.
        report.remarks += [problem.what for problem in report.problems if problem.kind == SHORT]
        report.problems = [problem for problem in report.problems if problem.kind != SHORT]
    report.remarks += remark_lines(remarks_of(splits, queries, minimum))
    report.counts += [_count(split, part, modality, minimum) for split, part in splits.items() for modality in Modality]
    return {split: part.tracklets for split, part in splits.items()}


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
