"""Write a dataset in OpenGait's own layout, for its models that read RGB frames. DinoGRL does not need it.

    vvi prepare hitsz ROOT --out OUT --workers 8
    vvi prepare bupt ROOT --out OUT --auxiliary

ROOT is the dataset as its authors distribute it. OUT gets <id>/<modality>/<view>/<view>-aligned-rgbs.pkl and
-ratios.pkl, and partition.json. The same command continues after an interruption. See datasets/*/README.md for sizes
and licences.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opengait.command_line import count

if TYPE_CHECKING:
    from opengait_ext.data.opengait_layout.write import Source

HELP = "write a dataset in OpenGait's own layout"
INTERRUPTED = "Stopped; run the same command again to continue."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("data_set", choices=tuple(SOURCES))
    parser.add_argument("root", metavar="ROOT", type=Path, help="the dataset as its authors distribute it")
    parser.add_argument("--out", metavar="OUT", type=Path, help="folder to write into")
    # The former spelling of --out.
    parser.add_argument("former_out", metavar="OUT", type=Path, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=count, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument(
        "--fit",
        choices=("pad", "stretch"),
        default="pad",
        help="keep the aspect ratio, or fill the frame",
    )
    parser.add_argument("--size", type=count, nargs=2, default=(256, 128), metavar=("HEIGHT", "WIDTH"))
    hitsz = parser.add_argument_group("hitsz only")
    hitsz.add_argument("--minimum-frames", type=count, metavar="N", help="drop shorter tracklets (default: 12)")
    hitsz.add_argument("--discard", nargs="+", metavar="FILE", help="lists of frame names to leave out")
    bupt = parser.add_argument_group("bupt only")
    bupt.add_argument("--auxiliary", action="store_true", help="include the people of train_auxiliary.txt")
    bupt.add_argument("--fake-infrared", action="store_true", help="include the training tracklets of FakeIR")


def run(args: argparse.Namespace) -> int:
    """Write the dataset.

    Raises:
        UserError: the dataset cannot be read or written.
    """
    from opengait.errors import ConfigError
    from opengait_ext.data.opengait_layout.write import PARTITION, prepare

    for name, data_set in (
        ("minimum_frames", "hitsz"),
        ("discard", "hitsz"),
        ("auxiliary", "bupt"),
        ("fake_infrared", "bupt"),
    ):
        if getattr(args, name) and args.data_set != data_set:
            raise ConfigError(f"--{name.replace('_', '-')} is an option of `prepare {data_set}` only.")
    out = args.out or args.former_out
    if out is None:
        raise ConfigError("--out is missing; name the folder to write into.")
    source, settings = SOURCES[args.data_set](args)
    print("\n".join([source.summary(), *source.warnings]), flush=True)
    done = prepare(source, out, settings, tuple(args.size), args.fit, args.workers, True)
    print(f"{done.written:,} tracklets ({done.frames:,} frames) written to {out}, {done.kept:,} already existed.")
    print(f"In a configuration: data_cfg: {{dataset_root: {out}, dataset_partition: {out / PARTITION}}}")
    return 0


def open_hitsz(args: argparse.Namespace) -> "tuple[Source, dict[str, Any]]":
    """Open HITSZ-VCM; return it and the settings that select its tracklets."""
    from opengait_ext.data.hitsz_vcm.reader import HITSZVCM, MINIMUM_FRAMES, NAME

    minimum, discard = args.minimum_frames or MINIMUM_FRAMES, args.discard or []
    settings = {"data_set": NAME, "minimum_frames": minimum, "discard": discard}
    return HITSZVCM(args.root, minimum, discard), settings


def open_bupt(args: argparse.Namespace) -> "tuple[Source, dict[str, Any]]":
    """Open BUPTCampus; return it and the settings that select its tracklets."""
    from opengait_ext.data.bupt_campus.reader import NAME, BUPTCampus

    settings = {"data_set": NAME, "auxiliary": args.auxiliary, "fake_infrared": args.fake_infrared}
    return BUPTCampus(args.root, args.auxiliary, args.fake_infrared), settings


SOURCES = {"hitsz": open_hitsz, "bupt": open_bupt}
