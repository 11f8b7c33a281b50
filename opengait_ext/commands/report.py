"""One self-contained page about a tested run.

    python opengait/main.py --cfgs FILE --phase test --set evaluator_cfg.save_features=true
    python scripts/report.py RUN --out DIR
    python scripts/report.py RUN --against BASELINE --out DIR

RUN is the run folder (output/<data set>/<model>/<name>). DIR/index.html opens from disk, without server or network.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count  # noqa: E402
from opengait.errors import UserError  # noqa: E402 - the project need not be installed
from opengait_ext.runs.report import build_report  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="run folder, or a logs/test-<iteration>.json")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write index.html into")
    parser.add_argument("--against", metavar="RUN2", help="another run on the same tracklets")
    parser.add_argument("--people", nargs="+", metavar="ID", help="whose silhouettes are shown; else spread evenly")
    parser.add_argument("--animations", type=count, default=4, metavar="N", help="people shown moving (default: 4)")
    parser.add_argument("--queries", type=count, default=4, metavar="N", help="ranked lists a direction (default: 4)")
    parser.add_argument("--worst", type=count, default=12, metavar="N", help="failures a direction (default: 12)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random queries (default: 0)")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    args = parser.parse_args(argv)
    try:
        file = build_report(
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
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{file} ({file.stat().st_size / 2**20:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
