"""Measure how fast tracklets come from the disk, four ways, on the same tracklets in one run.

    python scripts/benchmarks/data_path.py                          # synthetic data, drawn first
    python scripts/benchmarks/data_path.py --root ROOT --tracklets 500 --work DIR --cold

Prints a Markdown table. Look at the processor time where other programs run on the machine: they change the rates.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "datasets")]

from synthetic_vvi.generate import SettingsError, SyntheticConfig, generate  # noqa: E402 - beside the project

from opengait.errors import DataError, UserError  # noqa: E402
from scripts.benchmarks.data.measure import Bench, Settings, measure_all  # noqa: E402
from scripts.benchmarks.data.table import describe  # noqa: E402

PHASES = {"test": False, "train": True}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a data set in HITSZ-VCM's layout; synthetic data by default")
    parser.add_argument(
        "--work", type=Path, help="folder to keep data, pack and pickles in; a temporary one by default"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2, 8], metavar="N")
    parser.add_argument("--phase", choices=PHASES, nargs="+", default=list(PHASES))
    parser.add_argument("--cold", action="store_true", help="also read from the disk, without workers")
    parser.add_argument("--frames", type=int, default=6, help="picked of each tracklet")
    parser.add_argument("--frame-size", type=int, nargs=2, default=(256, 128), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=16, help="tracklets a batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tracklets", type=int, help="how many at most; all training tracklets by default")
    parser.add_argument("--least", type=int, default=512, help="tracklets a round, with repetitions")
    parser.add_argument("--people", type=int, default=8, help="of the synthetic data, with 8 tracklets each")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), metavar=("HEIGHT", "WIDTH"), help="its frames")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table there too")
    return parser.parse_args(argv)


def measure(args: argparse.Namespace, work: Path) -> str:
    """The whole run; the report.

    Raises:
        UserError: the data is missing, or the ways do not agree.
    """
    bars = sys.stderr.isatty()
    root = args.root
    if root is None:
        root = work / "data"
        config = SyntheticConfig(
            train_identities=args.people, test_identities=1, cameras=2, tracklets=2, size=tuple(args.size)
        )
        generate(root, config, workers=1, progress=bars)
    settings = Settings(
        frames=args.frames,
        frame_size=tuple(args.frame_size),
        batch=args.batch,
        rounds=args.rounds,
        least=args.least,
    )
    bench = Bench(root, work, settings, args.tracklets, bars)
    differences = bench.check()
    speeds = measure_all(bench, args.workers, [PHASES[name] for name in args.phase], args.cold, bars)
    return describe(bench, differences, speeds)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    args = arguments(argv)
    # Eight workers on two cores are what was asked for.
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    try:
        if args.work is None:
            with tempfile.TemporaryDirectory() as work:
                report = measure(args, Path(work))
        else:
            report = measure(args, args.work)
        print(report)
        if args.out is not None:
            try:
                args.out.write_text(report + "\n")
            except OSError as error:
                raise DataError(f"Cannot write {args.out}: {error.strerror}.") from error
    except (UserError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
