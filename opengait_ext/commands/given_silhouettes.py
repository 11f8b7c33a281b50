"""Write existing masks as OpenGait silhouette folders, for GaitSet, GaitBase and other silhouette models.

    vvi given-silhouettes --cfgs configs/dinogrl/hitsz_pbmge.yaml --out DIR --split train
    vvi given-silhouettes --cfgs configs/dinogrl/hitsz_pbmge.yaml --out DIR --split test

The masks are those of `data_cfg.mask_root` (datasets/MASKS.md). Both splits go into one folder. The masks that a
trained DinoGRL predicts are written in the same form by `vvi export-silhouettes --pkl`.
"""

import argparse
from pathlib import Path

from opengait_ext.commands.options import add_overrides

HELP = "write existing masks as OpenGait silhouette folders"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="configuration with data_cfg.mask_root")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder to write into")
    add_overrides(parser)
    parser.add_argument("--split", choices=("train", "test", "query", "gallery"), default="test")
    parser.add_argument("--soft", action="store_true", help="keep probabilities, 0 to 255")


def run(args: argparse.Namespace) -> int:
    """Write one split.

    Raises:
        UserError: the configuration names no masks, or the data cannot be read.
    """
    from opengait.config import load_config
    from opengait.errors import ConfigError
    from opengait_ext.data.masks import open_masks
    from opengait_ext.data.readers import frame_size_of
    from opengait_ext.runs.silhouettes import choose_tracklets, write_opengait_silhouettes
    from opengait_ext.runs.silhouettes.opengait_silhouettes import given_masks

    data_cfg = load_config(args.cfgs, args.overrides)["data_cfg"]
    folder = open_masks(data_cfg, [])
    if folder is None:
        raise ConfigError(f"{args.cfgs} names no folder of masks; add --set data_cfg.mask_root=PATH.")
    tracklets = choose_tracklets(data_cfg, args.split)
    masks = given_masks(folder, frame_size_of(data_cfg))
    done = write_opengait_silhouettes(args.out, tracklets, args.split == "train", args.soft, masks=masks)
    print(
        f"OpenGait silhouettes: {done.tracklets} tracklets, {done.frames} frames in {args.out}/silhouettes-64x64 and "
        f"-64x44; {done.empty_frames} frames and {done.empty_tracklets} whole tracklets have empty masks."
    )
    return 0
