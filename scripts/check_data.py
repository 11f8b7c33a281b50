"""Look for everything that is wrong with a data set.

    python scripts/check_data.py hitsz ROOT                    # ROOT holds info/, Train/ and Test/, or is a pack
    python scripts/check_data.py bupt ROOT --fast              # headers only, no frame is decoded
    python scripts/check_data.py opengait ROOT --partition FILE.json
    ... --report problems.json --preview preview.png

Exit status: 0 nothing is wrong, 1 problems were found, 2 the check could not run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count  # noqa: E402
from opengait.errors import UserError  # noqa: E402 - the project need not be installed
from opengait_ext.data.check_data import DATA_SETS, check_dataset  # noqa: E402


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_set", choices=DATA_SETS)
    parser.add_argument("root", type=Path, metavar="ROOT", help="its folder")
    parser.add_argument("--partition", type=Path, metavar="FILE.json", help="for OpenGait's layout")
    parser.add_argument("--fast", action="store_true", help="read headers and end markers, decode nothing")
    parser.add_argument("--workers", type=count, metavar="N", help="processes; all cores by default")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write every problem there")
    parser.add_argument("--preview", type=Path, metavar="FILE.png", help="draw random tracklets")
    parser.add_argument("--show", type=count, default=10, metavar="N", help="problems of a kind to print (10)")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Check, print and write what was asked for; the exit status.

    Raises:
        UserError: the check could not run, or a file could not be written.
    """
    bars = sys.stderr.isatty()
    report, splits = check_dataset(args.data_set, args.root, args.fast, args.workers, bars, args.partition)
    print(report.text(args.show))
    if args.report is not None:
        report.write(args.report)
        print(f"Report: {args.report}")
    if args.preview is not None:
        # Here, because every checking process imports what this file imports, and this takes long.
        from opengait_ext.data.check.preview import draw_preview

        draw_preview(args.preview, splits, report.root)
        print(f"Preview: {args.preview}")
    return 1 if report.problems else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 2 after the one sentence that says why the check could not run."""
    try:
        return run(arguments(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
