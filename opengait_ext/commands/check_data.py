"""Check a dataset: its lists, and every frame file that they name.

    vvi check-data hitsz ROOT                    # ROOT holds info/, Train/ and Test/, or is a pack
    vvi check-data bupt ROOT --fast              # read headers only, decode no frame
    vvi check-data opengait ROOT --partition FILE.json
    vvi check-data hitsz ROOT --cfgs FILE        # with its minimum_frames, discard_lists and masks
    ... --report problems.json --preview preview.png

Exit status: 0 no problem, 1 problems were found, 2 the check could not run.
"""

import argparse
from pathlib import Path

from opengait.command_line import count
from opengait.errors import ConfigError
from opengait_ext.commands.options import add_overrides

HELP = "check a dataset for missing, damaged and inconsistent files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("data_set", choices=("hitsz", "bupt", "opengait"))
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder of the dataset")
    parser.add_argument("--partition", type=Path, metavar="FILE.json", help="partition file, for OpenGait's layout")
    parser.add_argument("--cfgs", metavar="FILE", help="configuration that will read the data (default: the reader's)")
    add_overrides(parser)
    parser.add_argument("--fast", action="store_true", help="read headers and end markers instead of decoding frames")
    parser.add_argument("--workers", type=count, metavar="N", help="processes (default: all cores)")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write every problem to this file")
    parser.add_argument("--preview", type=Path, metavar="FILE.png", help="draw random tracklets")
    parser.add_argument("--show", type=count, default=10, metavar="N", help="problems to print per kind (default: 10)")


def run(args: argparse.Namespace) -> int:
    """Check the dataset, print the report and write the requested files.

    Raises:
        UserError: the check could not run, or a file could not be written.
    """
    from opengait_ext.data.check_data import check_dataset

    data_cfg = None
    if args.cfgs is not None:
        from opengait.config import load_config

        data_cfg = load_config(args.cfgs, args.overrides)["data_cfg"]
    elif args.overrides:
        raise ConfigError("--set changes a configuration; name it with --cfgs FILE.")
    report, splits = check_dataset(args.data_set, args.root, args.fast, args.workers, True, args.partition, data_cfg)
    print(report.text(args.show))
    if args.report is not None:
        report.write(args.report)
        print(f"Report: {args.report}")
    if args.preview is not None:
        from opengait_ext.data.check.preview import draw_preview

        draw_preview(args.preview, splits, report.root)
        print(f"Preview: {args.preview}")
    return 1 if report.problems else 0
