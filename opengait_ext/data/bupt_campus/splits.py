"""The splits of BUPTCampus from its lists, for the reader and for the check: what one reads, the other judges."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opengait.data.packs.read import Pack
from opengait.data.problems import Findings, Problem
from opengait.errors import DataError
from opengait_ext.data.bupt_campus.layout import (
    CAMERAS,
    FAKE_FOLDER,
    FRAMES,
    INFRARED_CODE,
    LISTS,
    MODALITIES,
    NAME,
    PAIR_CODE,
    README,
    SOURCE,
    VISIBLE_CODE,
)
from opengait_ext.data.bupt_campus.lists import ListRow, parse_frames, parse_list
from opengait_ext.data.files import has_folder, line_problem
from opengait_ext.data.rules import (
    frames_out_of_order,
    one_modality,
    repeated_frames,
    shared_people,
    unmatched_queries,
)
from opengait_ext.data.tracklet import FrameFiles, Modality, Role, Tracklet

SHIFTED, NO_FOLDER = "pair perhaps not aligned", "missing folder"


def check_root(root: Path, pack: Pack | None) -> None:
    """Check that there is data.

    Raises:
        DataError: there is none; the message explains how to obtain it.
    """
    if not has_folder(root / FRAMES, pack):
        reason = "the folder has no DATA/ in it" if root.is_dir() else "the folder does not exist"
        raise DataError(
            f"{NAME} was not found at {root}: {reason}; ask its authors for it (see {README}), unpack it into one "
            f"folder, and pass it with --set data_cfg.dataset_root=PATH."
        )


def same_camera_pairs(splits: Mapping[str, Sequence[Tracklet]]) -> int:
    """Count the pairs of a query and a gallery tracklet with equal person and camera, in any modalities."""
    gallery = Counter((t.person, t.camera) for t in splits["gallery"])
    return sum(gallery[t.person, t.camera] for t in splits["query"])


def single_frames(splits: Mapping[str, Sequence[Tracklet]]) -> tuple[int, str]:
    """Return the remark on tracklets of one frame."""
    single = sum(len(t.frames) == 1 for tracklets in splits.values() for t in tracklets)
    return single, "tracklets of a single frame, which is repeated"


def read_splits(
    root: Path,
    paths: Mapping[str, Any],
    findings: Findings,
    names: Iterable[str],
    pack: Pack | None = None,
    fake: bool = False,
) -> dict[str, list[Tracklet]]:
    """Return the tracklets of these splits in file order; all problems go to `findings`.

    Args:
        root: the folder of the lists.
        paths: `data_paths.json`.
        findings: receives the problems.
        names: the splits to read.
        pack: the pack of the frames, None for files.
        fake: add an infrared tracklet from `FakeIR` to every pair.
    """
    splits = {split: _read_list(split, root, paths, findings, fake) for split in names}
    files = {split: root / LISTS[split][0] for split in splits}
    training = [split for split in ("train", "auxiliary") if split in splits]
    # Everyone of the test split is in both of its lists.
    test_lists = {files["query"], files["gallery"]}
    lists = {files[split]: tracklets for split, tracklets in splits.items()}
    findings.collect(shared_people(lists, may_share=test_lists))
    findings.collect(repeated_frames(lists))
    findings.collect(unmatched_queries(files["query"], splits["query"], splits["gallery"]))
    for split, tracklets in splits.items():
        findings.collect(frames_out_of_order(files[split], tracklets))
    test = [*splits["query"], *splits["gallery"]]
    for phase, tracklets in (*((split, splits[split]) for split in training), ("test", test)):
        findings.collect(one_modality(phase, tracklets))
    findings.collect(_missing_folders((tracklet for part in splits.values() for tracklet in part), pack))
    return splits


def _missing_folders(tracklets: Iterable[Tracklet], pack: Pack | None) -> Iterator[Problem]:
    """Yield each folder that does not exist; a missing frame is noticed when it is read."""
    for folder in sorted({tracklet.frames[0].parent for tracklet in tracklets}):
        if not has_folder(folder, pack):
            what = f"should hold frames of listed tracklets but cannot be found; unpack DATA again (see {README})"
            yield Problem(NO_FOLDER, str(folder), what)


def _read_list(split: str, root: Path, paths: Mapping[str, Any], findings: Findings, fake: bool) -> list[Tracklet]:
    """Read the tracklets of a list; of a pair the infrared, the visible and, if asked for, the generated one."""
    name, codes = LISTS[split]
    path = root / name
    role = Role.QUERY if split == "query" else None
    tracklets = []
    for row in findings.collect(parse_list(path, findings.read_lines(path, SOURCE), codes)):
        frames = dict(findings.collect(parse_frames(paths, row, path)))
        # IR comes before RGB.
        tracklets += [_tracklet(root, row, MODALITIES[code], frames[code], role) for code in sorted(frames)]
        if row.code == PAIR_CODE and len(frames) == 2:
            findings.collect(_shifted(path, row, frames))
            if fake:
                # The generated files have the names of the visible frames.
                names = tuple(f.replace(f"/{VISIBLE_CODE}/", f"/{FAKE_FOLDER}/") for f in frames[VISIBLE_CODE])
                tracklets.append(_tracklet(root, row, Modality.INFRARED, names, Role.FAKE))
    return tracklets


def _tracklet(root: Path, row: ListRow, modality: Modality, frames: tuple[str, ...], role: Role | None) -> Tracklet:
    return Tracklet(row.person, modality, CAMERAS[row.camera], FrameFiles(root / FRAMES, frames), row.number, role)


def _shifted(path: Path, row: ListRow, frames: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    """Yield a problem if the parts of the frames' names after the last underscore differ between the modalities."""
    visible, infrared = ([f.rpartition("_")[2] for f in frames[code]] for code in (VISIBLE_CODE, INFRARED_CODE))
    if visible != infrared:
        what = "the pair's frames are numbered differently in the two modalities, so they may not be aligned"
        yield line_problem(SHIFTED, path, row.number, what, fatal=False)
