"""Check a dataset: its lists, and every frame file that they name.

    vvi check-data hitsz ROOT                    # ROOT holds info/, Train/ and Test/, or is a pack
    vvi check-data bupt ROOT --fast              # read headers only, decode no frame
    vvi check-data opengait ROOT --partition FILE.json
    ... --report problems.json --preview preview.png

Exit status: 0 no problem, 1 problems were found, 2 the check could not run.
"""

import argparse
import sys
from pathlib import Path

from opengait.command_line import count

HELP = "check a dataset for missing, damaged and inconsistent files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("data_set", choices=("hitsz", "bupt", "opengait"))
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder of the dataset")
    parser.add_argument("--partition", type=Path, metavar="FILE.json", help="partition file, for OpenGait's layout")
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

    bars = sys.stderr.isatty()
    report, splits = check_dataset(args.data_set, args.root, args.fast, args.workers, bars, args.partition)
    print(report.text(args.show))
    if args.report is not None:
        report.write(args.report)
        print(f"Report: {args.report}")
    if args.preview is not None:
        from opengait_ext.data.check.preview import draw_preview

        draw_preview(args.preview, splits, report.root)
        print(f"Preview: {args.preview}")
    return 1 if report.problems else 0
