"""Build a self-contained page about a tested run.

    torchrun opengait/main.py --cfgs FILE --phase test --set evaluator_cfg.save_features=true
    vvi report RUN --out DIR
    vvi report RUN --against BASELINE --out DIR

RUN is the run folder (output/<dataset>/<model>/<name>). DIR/index.html opens from disk, without server or network.
Above 15 MB, its pictures are files in DIR/pictures.
"""

import argparse

from opengait.command_line import count
from opengait_ext.commands.options import add_overrides, add_people

HELP = "build a self-contained HTML page about a tested run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("run", metavar="RUN", help="run folder, or a logs/test-<iteration>.json")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write index.html into")
    parser.add_argument("--against", metavar="RUN2", help="another run on the same tracklets")
    add_people(parser, "people whose silhouettes are shown (default: evenly spread)")
    parser.add_argument("--animations", type=count, default=4, metavar="N", help="animated people (default: 4)")
    parser.add_argument("--queries", type=count, default=4, metavar="N", help="ranked lists per direction (default: 4)")
    parser.add_argument("--worst", type=count, default=12, metavar="N", help="failures per direction (default: 12)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random queries (default: 0)")
    add_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        UserError: a run cannot be read.
    """
    from opengait_ext.runs.report import build_report
    from opengait_ext.runs.report.pictures import size_of

    page = build_report(
        args.run,
        args.out,
        args.against,
        animations=args.animations,
        queries=args.queries,
        worst=args.worst,
        overrides=args.overrides,
        seed=args.seed,
        people=args.people,
    )
    count, size = size_of(page.parent)
    beside = f", with {count:,} pictures beside it ({size / 1e6:.1f} MB)" if count else ""
    print(f"{page} ({page.stat().st_size / 1e6:.1f} MB){beside}")
    return 0
