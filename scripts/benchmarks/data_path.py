"""Measure how fast tracklets are loaded from disk, in four ways, on the same tracklets in one run.

    python scripts/benchmarks/data_path.py                          # synthetic data, drawn first
    python scripts/benchmarks/data_path.py --root ROOT --tracklets 500 --work DIR --cold

Prints a Markdown table. If other programs run on the machine, compare processor times: rates depend on the load.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait.command_line import exit_status
from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate
from scripts.benchmarks.data.measure import Bench, Settings, measure_all
from scripts.benchmarks.data.table import describe

PHASES = {"test": False, "train": True}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a dataset in HITSZ-VCM's layout (default: synthetic data)")
    parser.add_argument("--work", type=Path, help="folder for data, pack and pickles (default: a temporary one)")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2, 8], metavar="N")
    parser.add_argument("--phase", choices=PHASES, nargs="+", default=list(PHASES))
    parser.add_argument("--cold", action="store_true", help="also measure uncached reads, without workers")
    parser.add_argument("--frames", type=int, default=6, help="frames picked per tracklet")
    parser.add_argument("--frame-size", type=int, nargs=2, default=(256, 128), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=16, help="tracklets per batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tracklets", type=int, help="at most this many (default: all training tracklets)")
    parser.add_argument("--least", type=int, default=512, help="minimum tracklets per round, with repetitions")
    parser.add_argument("--people", type=int, default=8, help="identities of the synthetic data, with 8 tracklets each")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(256, 128),
        metavar=("HEIGHT", "WIDTH"),
        help="frame size of the synthetic data",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="also write the table to a file")
    return parser.parse_args(argv)


def measure(args: argparse.Namespace, work: Path) -> str:
    """Measure everything and return the report.

    Raises:
        UserError: the data is missing, or the ways give different frames.
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


def run(args: argparse.Namespace) -> int:
    """Print the report, and write it if requested."""
    # Eight workers on two cores are intended.
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    with tempfile.TemporaryDirectory() as temporary:
        report = measure(args, args.work or Path(temporary))
    print(report)
    if args.out is not None:
        args.out.write_text(report + "\n", encoding="utf-8")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    args = arguments(argv)
    return exit_status(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
