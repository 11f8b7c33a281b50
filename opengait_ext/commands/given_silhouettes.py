"""Write masks that are there already as OpenGait silhouette folders, for GaitSet, GaitBase and other silhouette models.

    python scripts/given_silhouettes.py --cfgs configs/dinogrl/hitsz_pbmge.yaml --out DIR --split train
    python scripts/given_silhouettes.py --cfgs configs/dinogrl/hitsz_pbmge.yaml --out DIR --split test

The masks are those of `data_cfg.mask_root` (datasets/MASKS.md). Both splits go into one folder. What a trained DinoGRL
sees is written by export_silhouettes.py --pkl in the same form, so that one gait model can be trained on either.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.config import load_config  # noqa: E402 - the project need not be installed
from opengait.errors import ConfigError, UserError  # noqa: E402
from opengait_ext.data.choose import SPLITS  # noqa: E402
from opengait_ext.data.masks import open_masks  # noqa: E402
from opengait_ext.data.readers import frame_size_of  # noqa: E402
from opengait_ext.runs.silhouettes import choose_tracklets, write_opengait_silhouettes  # noqa: E402
from opengait_ext.runs.silhouettes.opengait_silhouettes import given_masks  # noqa: E402


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="configuration with data_cfg.mask_root")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder to write into")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--soft", action="store_true", help="keep probabilities, 0 to 255")
    return parser.parse_args(argv)


def write(args: argparse.Namespace) -> None:
    """Write one split.

    Raises:
        UserError: something that is needed is missing or does not fit.
    """
    data_cfg = load_config(args.cfgs, args.overrides)["data_cfg"]
    folder = open_masks(data_cfg, [])
    if folder is None:
        raise ConfigError(f"{args.cfgs} names no folder of masks; add --set data_cfg.mask_root=PATH.")
    tracklets = choose_tracklets(data_cfg, args.split)
    masks = given_masks(folder, frame_size_of(data_cfg))
    done = write_opengait_silhouettes(args.out, tracklets, args.split == "train", args.soft, masks=masks)
    print(
        f"OpenGait silhouettes: {done.tracklets} tracklets, {done.frames} frames in {args.out}/silhouettes-64x64 and "
        f"-64x44; nobody was found in {done.empty_frames} frames and {done.empty_tracklets} whole tracklets."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    try:
        write(arguments(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
