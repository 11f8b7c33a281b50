"""The check of a whole dataset: its lists, then every frame file that they name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.bupt_campus import layout as bupt_campus
from opengait_ext.data.bupt_campus.check import check_bupt_lists
from opengait_ext.data.check.frames import FrameCheck, check_frames
from opengait_ext.data.check.pool import cores
from opengait_ext.data.check.report import Report
from opengait_ext.data.hitsz_vcm import layout as hitsz_vcm
from opengait_ext.data.hitsz_vcm.check import check_hitsz_lists
from opengait_ext.data.tracklet import Tracklet

CheckLists = Callable[[Path, Report], dict[str, list[Tracklet]]]
CHECKS: dict[str, tuple[str, CheckLists]] = {
    "hitsz": (hitsz_vcm.NAME, check_hitsz_lists),
    "bupt": (bupt_campus.NAME, check_bupt_lists),
}
DATA_SETS = (*CHECKS, "opengait")


def check_dataset(
    data_set: str,
    root: str | Path,
    fast: bool = False,
    workers: int | None = None,
    progress: bool = False,
    partition: str | Path | None = None,
) -> tuple[Report, Mapping[str, Sequence[Any]]]:
    """Check all files of a dataset.

    Args:
        data_set: `hitsz`, `bupt` (folders or packs), or `opengait`.
        root: its folder.
        fast: read headers and end markers instead of decoding frames.
        workers: number of processes; None uses all cores.
        progress: show progress bars.
        partition: the partition file, for `opengait`.

    Returns:
        The report, and the tracklets by split.

    Raises:
        DataError: there is no dataset at `root`.
    """
    root = Path(root).expanduser().absolute()
    workers = cores() if workers is None else workers
    if data_set == "opengait":
        # Imported here, because it imports torch, which would slow down the start of every checking process.
        from opengait_ext.data.opengait_layout.check import check_opengait

        if partition is None:
            raise DataError("OpenGait's layout needs its partition file; pass it with --partition FILE.json.")
        report = Report("OpenGait's layout", root)
        return report, check_opengait(root, Path(partition).expanduser(), report, fast, workers, progress)
    name, check_lists = CHECKS[data_set]
    report = Report(name, root)
    splits = check_lists(root, report)
    check_frames(splits, report, FrameCheck(open_pack(root), fast), workers, progress)
    return report, splits
