"""Write HITSZ-VCM in OpenGait's own layout, for its models that read RGB frames. DinoGRL does not need it.

    python datasets/HITSZ-VCM/prepare.py ROOT OUT --workers 8

ROOT holds Train/, Test/ and info/. OUT gets <id>/<modality>/<view>/<view>-aligned-rgbs.pkl and -ratios.pkl, and
partition.json. Run again after an interruption, it continues. README.md beside this file tells sizes and licence.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait.command_line import count  # noqa: E402 - the project need not be installed
from opengait_ext.commands.prepare import main  # noqa: E402
from opengait_ext.data import HITSZVCM  # noqa: E402
from opengait_ext.data.hitsz_vcm.reader import MINIMUM_FRAMES, NAME  # noqa: E402


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this data set alone."""
    parser.add_argument(
        "--minimum-frames", type=count, default=MINIMUM_FRAMES, metavar="N", help="drop shorter tracklets"
    )
    parser.add_argument("--discard", nargs="+", default=[], metavar="FILE", help="lists of frame names to leave out")


def open_source(args: argparse.Namespace) -> tuple[HITSZVCM, dict[str, Any]]:
    """The data set, and what decides which tracklets are in it."""
    settings = {"data_set": NAME, "minimum_frames": args.minimum_frames, "discard": args.discard}
    return HITSZVCM(args.root, args.minimum_frames, args.discard), settings


if __name__ == "__main__":
    sys.exit(main(__doc__, add_arguments, open_source))
