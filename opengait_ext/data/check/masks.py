"""The check of masks from another network (`data_cfg.mask_root`): files, values and shapes."""

from collections.abc import Sequence

from opengait.data.packs.read import Pack
from opengait_ext.data.check.pool import check_all
from opengait_ext.data.check.report import Report
from opengait_ext.data.mask_values import MaskLook, range_of
from opengait_ext.data.masks import MaskFolder
from opengait_ext.data.tracklet import Tracklet


def check_masks(
    folder: MaskFolder, tracklets: Sequence[Tracklet], report: Report, pack: Pack | None, workers: int, progress: bool
) -> None:
    """Open the mask of every frame, and add problems and the range of values to the report."""
    report.collect(folder.check(tracklets))
    frames = list(dict.fromkeys(frame for tracklet in tracklets for frame in tracklet.frames))
    frames = [frame for frame in frames if folder.path_of(frame).is_file()]
    paths = [str(folder.path_of(frame)) for frame in frames]
    results = check_all(paths, folder.values.look, workers, progress, "mask")
    report.collect(folder.values.judge(results, folder.root))
    report.collect(folder.aspects(frames, pack))
    looks = [look for look in results if isinstance(look, MaskLook)]
    values = sorted({value for look in looks for value in look.values})
    empty = sum(look.values == (0,) for look in looks)
    report.remarks.append(
        f"{len(looks):,} masks checked: {range_of(values)}; {empty:,} are empty" if looks else "no masks"
    )
