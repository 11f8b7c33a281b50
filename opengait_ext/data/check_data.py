"""The whole check of one data set: its lists, then every frame file that they name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.bupt_campus import reader as bupt_campus
from opengait_ext.data.bupt_campus.check import check_bupt_lists
from opengait_ext.data.check.frames import ODD, FrameCheck, odd_sizes
from opengait_ext.data.check.pool import check_all, cores
from opengait_ext.data.check.report import Report
from opengait_ext.data.hitsz_vcm import reader as hitsz_vcm
from opengait_ext.data.hitsz_vcm.check import check_hitsz_lists
from opengait_ext.data.tracklet import Tracklet

Lister = Callable[[Path, Report], dict[str, list[Tracklet]]]
LISTERS: dict[str, tuple[str, Lister]] = {
    "hitsz": (hitsz_vcm.NAME, check_hitsz_lists),
    "bupt": (bupt_campus.NAME, check_bupt_lists),
}
DATA_SETS = (*LISTERS, "opengait")


def check(
    data_set: str,
    root: str | Path,
    fast: bool = False,
    workers: int | None = None,
    progress: bool = False,
    partition: str | Path | None = None,
) -> tuple[Report, dict[str, Sequence[Any]]]:
    """Look at everything that a data set consists of.

    Args:
        data_set: `hitsz`, `bupt` (folders or packs), or `opengait`.
        root: its folder.
        fast: read headers and end markers instead of decoding frames.
        workers: processes; None takes all cores.
        progress: show bars.
        partition: the partition file, for `opengait`.

    Returns:
        The report, and the tracklets of each split.

    Raises:
        DataError: there is nothing to check at `root`.
    """
    root = Path(root).expanduser().absolute()
    workers = cores() if workers is None else workers
    if data_set == "opengait":
        # Here, because it needs more than checking processes want to import.
        from opengait_ext.data.opengait_layout.check import check_opengait

        if partition is None:
            raise DataError("OpenGait's layout needs its partition file; name it with --partition FILE.json.")
        report = Report("OpenGait's layout", root)
        return report, check_opengait(root, Path(partition).expanduser(), report, fast, workers, progress)
    name, lister = LISTERS[data_set]
    report = Report(name, root)
    splits = lister(root, report)
    check_frames(splits, report, FrameCheck(open_pack(root), fast), workers, progress)
    return report, splits


def check_frames(
    splits: dict[str, list[Tracklet]], report: Report, frame_check: FrameCheck, workers: int, progress: bool
) -> None:
    """Look once at every frame of the tracklets."""
    listed = (str(frame) for tracklets in splits.values() for tracklet in tracklets for frame in tracklet.frames)
    paths = list(dict.fromkeys(listed))
    looks = check_all(paths, frame_check, workers, progress)
    names = [path.removeprefix(f"{report.root}/") for path in paths]
    for name, look in zip(names, looks, strict=True):
        if look.kind:
            report.add(look.kind, name, look.what)
        if look.height:
            report.sizes[look.height, look.width] += 1
    for place, what in odd_sizes(looks):
        report.add(ODD, names[place], what)
    report.frames = len(paths)
