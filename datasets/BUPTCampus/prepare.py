"""Write BUPTCampus in OpenGait's own layout, for its models that read RGB frames. DinoGRL does not need it.

    python datasets/BUPTCampus/prepare.py ROOT OUT --workers 8

ROOT holds DATA/, data_paths.json and the lists. OUT gets <id>/<modality>/<view>/<view>-aligned-rgbs.pkl and
-ratios.pkl, and partition.json. Run again after an interruption, it continues. README.md beside this file tells sizes
and licence.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait_ext.commands.prepare import main  # noqa: E402
from opengait_ext.data import BUPTCampus  # noqa: E402 - the project need not be installed
from opengait_ext.data.bupt_campus.reader import NAME  # noqa: E402


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this data set alone."""
    parser.add_argument("--auxiliary", action="store_true", help="with the people of train_auxiliary.txt")
    parser.add_argument("--fake-infrared", action="store_true", help="with the training tracklets of FakeIR")


def open_source(args: argparse.Namespace) -> tuple[BUPTCampus, dict[str, Any]]:
    """The data set, and what decides which tracklets are in it."""
    settings = {"data_set": NAME, "auxiliary": args.auxiliary, "fake_infrared": args.fake_infrared}
    return BUPTCampus(args.root, args.auxiliary, args.fake_infrared), settings


if __name__ == "__main__":
    sys.exit(main(__doc__, add_arguments, open_source))
