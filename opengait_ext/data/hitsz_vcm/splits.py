"""The splits of HITSZ-VCM from its lists, for the reader and for the check: what one reads, the other judges."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opengait.data.packs.read import Pack
from opengait.data.problems import Findings, Problem
from opengait.data.text_files import read_text
from opengait.errors import DataError
from opengait_ext.data.files import line_problem
from opengait_ext.data.hitsz_vcm.layout import (
    INFO_SOURCE,
    NAME,
    README,
    bases_of,
    find_base,
    info_file,
)
from opengait_ext.data.hitsz_vcm.lists import FrameName, InfoRow, parse_names, parse_query, parse_rows
from opengait_ext.data.rules import (
    frames_out_of_order,
    one_modality,
    people_in_one_modality,
    repeated_frames,
    shared_people,
)
from opengait_ext.data.tracklet import FrameFiles, Modality, Tracklet

AGAINST, SPLIT_FOLDER, SHORT = "frame name contradicts its row", "missing folder", "split without tracklets"
DISCARDS = "discard list"


@dataclass
class Split:
    """A split.

    Attributes:
        rows: its rows.
        tracklets: a tracklet per row, of all its frames.
        kept: those with enough frames, without the discarded ones.
        discarded_frames: the number of frames that discard lists name.
        unused: the number of listed frames that belong to no row.
    """

    rows: list[InfoRow]
    tracklets: list[Tracklet]
    kept: list[Tracklet]
    discarded_frames: int = 0
    unused: int = 0


def check_root(root: Path, name: str = NAME) -> None:
    """Check that there is data.

    Args:
        root: the folder of `info/`.
        name: the dataset's name, since drawn data is obtained in another way.

    Raises:
        DataError: there is none; the message explains how to obtain it.
    """
    if (root / "info").is_dir():
        return
    reason = "the folder has no info/" if root.is_dir() else "the folder does not exist"
    obtain = f"ask its authors for the archives Train, Test and info (see {README}), unpack them into one folder"
    if not name.startswith(NAME):
        obtain = f"draw synthetic data with vvi synthesize --out {root} (the demo's with --demo)"
    raise DataError(
        f"{name} was not found at {root}: {reason}; {obtain}, or pass your data in HITSZ-VCM's layout with "
        f"--set data_cfg.dataset_root=PATH."
    )


def read_splits(
    root: Path, pack: Pack | None, findings: Findings, minimum_frames: int, discard_lists: Sequence[Path]
) -> dict[str, Split]:
    """Return the splits `train` and `test`; problems of the lists and of their tracklets go to `findings`.

    Args:
        root: the folder of `info/`.
        pack: the pack of the frames, None for files.
        findings: receives the problems.
        minimum_frames: shorter tracklets are not kept.
        discard_lists: see `HITSZVCM`.

    Raises:
        DataError: a discard list cannot be read.
    """
    discards = {path: read_discarded(path) for path in discard_lists}
    discarded = {name for lines in discards.values() for name in lines}
    splits: dict[str, Split] = {}
    known: set[str] = set()
    for split in ("train", "test"):
        path = info_file(root, f"{split}_name.txt")
        names = list(parse_names(path, findings.read_lines(path, INFO_SOURCE)))
        valid = findings.collect(names)
        known.update(discarded.intersection(frame.name for frame in valid) if discarded else ())
        base = find_base(root, split, dict.fromkeys(frame.folder for frame in valid), pack)
        if valid and base is None:
            findings.collect([_no_folder(root, split, valid[0].folder)])
        splits[split] = _read_rows(
            info_file(root, f"track_{split}_info.txt"), names, base, findings, minimum_frames, discarded
        )
    for split, part in splits.items():
        if not part.kept and any(tracklet.frames for tracklet in part.tracklets):
            what = (
                f"none of the {len(part.rows)} {split} tracklets has {minimum_frames} frames or more; lower "
                f"data_cfg.minimum_frames or check data_cfg.discard_lists"
            )
            findings.collect([Problem(SHORT, split, what)])
    lists = {info_file(root, f"track_{split}_info.txt"): part.tracklets for split, part in splits.items()}
    findings.collect(_discards_without_effect(discards, known))
    findings.collect(shared_people(lists))
    findings.collect(repeated_frames(lists))
    for path, tracklets in lists.items():
        findings.collect(frames_out_of_order(path, tracklets))
    for split, part in splits.items():
        findings.collect(one_modality(split, part.tracklets))
    return splits


def read_queries(root: Path, findings: Findings, rows: Iterable[InfoRow]) -> set[int]:
    """Return the rows of the test split that `query_IDX.txt` lists."""
    path = info_file(root, "query_IDX.txt")
    known = {row.number for row in rows}
    return set(findings.collect(parse_query(path, findings.read_lines(path, INFO_SOURCE), known))) if known else set()


def remarks_of(splits: Mapping[str, Split], queries: set[int], minimum_frames: int) -> list[tuple[int, str]]:
    """Return what is worth a remark: dropped tracklets and frames, and rows that disagree with the list of queries."""
    remarks = []
    for split, part in splits.items():
        kept = {tracklet.track for tracklet in part.kept}
        for modality in Modality:
            short = sum(row.modality is modality and row.number not in kept for row in part.rows)
            remarks.append((short, f"{split} {modality} tracklets dropped: fewer than {minimum_frames} frames"))
        remarks.append((part.discarded_frames, f"{split} frames removed: named in the discard lists"))
        remarks.append((part.unused, f"frames of {split}_name.txt belong to no row"))
        alone = people_in_one_modality((t.label, t.modality) for t in part.kept)
        remarks.append((len(alone), f"{split} identities with tracklets in one modality only"))
    misplaced = sum((t.modality is Modality.INFRARED) != (t.track in queries) for t in splits["test"].kept)
    return [*remarks, (misplaced, "test tracklets whose modality contradicts query_IDX.txt (queries are infrared)")]


def _read_rows(
    path: Path,
    names: Sequence[FrameName | Problem],
    base: Path | None,
    findings: Findings,
    minimum_frames: int,
    discarded: set[str],
) -> Split:
    # Without the list of names, it is unknown which rows point past its end.
    rows = findings.collect(parse_rows(path, findings.read_lines(path, INFO_SOURCE), len(names) or None))
    split = Split(rows, [], [])
    covered = bytearray(len(names))
    for row in rows:
        frames = [name for name in names[row.first - 1 : row.last] if not isinstance(name, Problem)]
        covered[row.first - 1 : row.last] = b"\1" * (row.last - row.first + 1) if names else b""
        findings.collect(_names_against_row(path, row, frames))
        split.tracklets.append(_tracklet(row, frames, base))
        left = [frame for frame in frames if frame.name not in discarded]
        split.discarded_frames += len(frames) - len(left)
        if len(left) >= max(1, minimum_frames):
            split.kept.append(_tracklet(row, left, base) if len(left) < len(frames) else split.tracklets[-1])
    split.unused = covered.count(0)
    return split


def _tracklet(row: InfoRow, frames: Sequence[FrameName], base: Path | None) -> Tracklet:
    files = FrameFiles(base, tuple(f"{frame.folder}/{frame.file}" for frame in frames)) if base else ()
    return Tracklet(row.person, row.modality, row.camera, files, row.number)


def _no_folder(root: Path, split: str, folder: str) -> Problem:
    tried = " and ".join(str(base / folder) for base in bases_of(root, split))
    what = (
        f"the first {split} tracklet {folder} has no folder: tried {tried}. Unpack the "
        f"{split.capitalize()} archive beside info/ (see {README})"
    )
    return Problem(SPLIT_FOLDER, split.capitalize(), what)


def _names_against_row(path: Path, row: InfoRow, frames: Sequence[FrameName]) -> Iterator[Problem]:
    others = sorted({frame.folder for frame in frames} - {row.folder})
    if others:
        what = f"the row belongs to {row.folder} and is used, but its frames lie in {', '.join(others[:3])}"
        yield line_problem(AGAINST, path, row.number, what, fatal=False)


def read_discarded(path: Path) -> list[str]:
    """Read a list of frame names.

    Raises:
        DataError: the file is missing or not text.
    """
    if not path.is_file():
        raise DataError(f"data_cfg.discard_lists: {path} is not a file; correct or remove it.")
    return read_text(path, "correct data_cfg.discard_lists", allow_empty=True).split()


def _discards_without_effect(discards: Mapping[Path, Sequence[str]], known: set[str]) -> Iterator[Problem]:
    for path, names in discards.items():
        strangers = [name for name in names if name not in known]
        if strangers:
            matched = f"{len(names) - len(strangers):,} of its {len(names):,} names are frames of the dataset"
            what = f"{matched}; {strangers[0][:80]!r} is not, expected names such as 0001M2D3T1F1.jpg"
            yield Problem(DISCARDS, f"data_cfg.discard_lists, {path}", what, fatal=len(strangers) == len(names))
