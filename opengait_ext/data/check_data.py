"""The check of a whole dataset: its lists, then every frame file that they name."""

from collections.abc import Mapping, Sequence
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

CHECKS = {"hitsz": hitsz_vcm.NAME, "bupt": bupt_campus.NAME}
DATA_SETS = (*CHECKS, "opengait")


def check_dataset(
    data_set: str,
    root: str | Path,
    fast: bool = False,
    workers: int | None = None,
    progress: bool = False,
    partition: str | Path | None = None,
    data_cfg: Mapping[str, Any] | None = None,
) -> tuple[Report, Mapping[str, Sequence[Any]]]:
    """Check all files of a dataset.

    Args:
        data_set: `hitsz`, `bupt` (folders or packs), or `opengait`.
        root: its folder.
        fast: read headers and end markers instead of decoding frames.
        workers: number of processes; None uses all cores.
        progress: show progress bars.
        partition: the partition file, for `opengait`.
        data_cfg: the section of a configuration, whose rules about short tracklets, discarded frames and masks apply.

    Returns:
        The report, and the tracklets by split.

    Raises:
        ConfigError: a key of `data_cfg` is invalid.
        DataError: there is no dataset at `root`.
    """
    root = Path(root).expanduser().absolute()
    workers = cores() if workers is None else workers
    if data_set == "opengait":
        # Imported here, because it imports torch, which would slow down the start of every checking process.
        from opengait_ext.data.opengait_layout.check import check_opengait

        partition = partition or (data_cfg or {}).get("dataset_partition")
        if partition is None:
            raise DataError("OpenGait's layout needs its partition file; pass it with --partition FILE.json.")
        report = Report("OpenGait's layout", root)
        return report, check_opengait(root, Path(partition).expanduser(), report, fast, workers, progress)
    report = Report(CHECKS[data_set], root)
    pack = open_pack(root)
    settings, masks = _configured(data_cfg, data_set, root)
    splits = check_hitsz_lists(root, report, *settings) if data_set == "hitsz" else check_bupt_lists(root, report)
    check_frames(splits, report, FrameCheck(pack, fast), workers, progress)
    if masks is not None:
        from opengait_ext.data.check.masks import check_masks

        tracklets = [tracklet for part in splits.values() for tracklet in part]
        check_masks(masks, tracklets, report, pack, workers, progress)
    return report, splits


def _configured(data_cfg: Mapping[str, Any] | None, data_set: str, root: Path) -> tuple[tuple, Any]:
    """Return `minimum_frames` and `discard_lists` for HITSZ-VCM's check, and the folder of masks, if there is one."""
    if data_cfg is None:
        return (), None
    # Imported here, because these import torch.
    from opengait_ext.data.masks import mask_folder
    from opengait_ext.data.readers import hitsz_settings

    masks = mask_folder({**data_cfg, "dataset_root": root})
    return hitsz_settings(data_cfg) if data_set == "hitsz" else (), masks
