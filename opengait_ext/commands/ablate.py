"""Train and test the rows of the paper's ablations, and print their table beside the paper's numbers.

    python scripts/ablate.py --table 3                                    # on the synthetic data, anywhere
    python scripts/ablate.py --table 3 4 5 --data hitsz --set data_cfg.dataset_root=PATH --devices 0 1
    python scripts/ablate.py --figure 4 --repeats 1                       # the sweeps of the three weights
    python scripts/ablate.py --table 7 --dry-run                          # what there is to do

A row is a file of configs/ablation. What it changes in configs/dinogrl/hitsz.yaml is changed in the configuration of
the data: configs/ablation/synthetic.yaml, configs/dinogrl/hitsz.yaml or bupt.yaml. The same command goes on where it
was stopped, and tables share the runs of rows that they have in common. Tables are written to OUT/DATA/tableN.md and
.json.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count  # noqa: E402
from opengait.errors import ConfigError, UserError  # noqa: E402 - the project need not be installed
from opengait.utils.files import write_json, write_text  # noqa: E402
from opengait_ext import ablation  # noqa: E402
from opengait_ext.ablation.drawing import draw_data  # noqa: E402
from opengait_ext.ablation.tables import FIGURE4  # noqa: E402

REPEATS = 3


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for name in ablation.read_tables() if name != FIGURE4]
    parser.add_argument("--table", nargs="+", default=[], choices=[*names, "all"], metavar="N", help="3 to 9, or all")
    parser.add_argument("--figure", choices=("4",), help="Figure 4, drawn as PNG and PDF too")
    parser.add_argument("--data", choices=tuple(ablation.DATA), default="synthetic", help="default: synthetic")
    parser.add_argument("--repeats", type=count, default=REPEATS, metavar="N", help=f"seeds (default: {REPEATS})")
    parser.add_argument("--first-seed", type=int, default=0, metavar="N", help="seeds count from here (default: 0)")
    parser.add_argument(
        "--devices",
        nargs="+",
        default=[],
        metavar="D",
        help="one run at a time on each: a CUDA device, several joined by commas, or cpu; default: all there are",
    )
    parser.add_argument("--out", type=Path, default=Path("output/ablation"), metavar="DIR", help="of runs and tables")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides", help="in every row"
    )
    parser.add_argument("--dry-run", action="store_true", help="list the runs and what is done of them, and stop")
    args = parser.parse_args(argv)
    args.table = names if "all" in args.table else args.table
    return args


def tell(text: str) -> None:
    """Progress goes beside the table, which alone is standard output."""
    print(text, file=sys.stderr, flush=True)


def chosen_tables(args: argparse.Namespace) -> list[ablation.Table]:
    """The tables that were asked for.

    Raises:
        ConfigError: none was.
    """
    known = ablation.read_tables()
    names = [*dict.fromkeys(args.table), *([FIGURE4] if args.figure else [])]
    if not names:
        raise ConfigError("Name what to measure: --table 3 (to 9, several, or all), or --figure 4.")
    return [known[name] for name in names]


def save(measured: ablation.MeasuredTable, folder: Path) -> list[Path]:
    """Write a table, and draw it if it is a figure; the files."""
    files = [folder / f"{measured.table.file}.md", folder / f"{measured.table.file}.json"]
    write_text(files[0], measured.as_markdown())
    write_json(files[1], measured.as_json())
    if measured.table.sweeps:
        from opengait_ext.ablation.sweeps_figure import draw_sweeps
        from opengait_ext.runs.figures.style import save_figure

        files += save_figure(draw_sweeps(measured), folder / measured.table.file)
    return files


def run(args: argparse.Namespace) -> int:
    """Everything from the plan to the tables; 1 if a run failed."""
    tables = chosen_tables(args)
    devices = ablation.devices_of(args.devices)
    seeds = range(args.first_seed, args.first_seed + args.repeats)
    rows = [row for table in tables for row in table.on(args.data)]
    jobs = ablation.plan_jobs(rows, args.data, seeds, args.out, args.overrides)
    for job in jobs:
        job.check()
    left = sum(not job.done for job in jobs)
    tell(f"{len(jobs)} runs, {len(jobs) - left} done; on {', '.join(device.title for device in devices)}")
    if args.dry_run:
        for job in jobs:
            tell(f"{'done' if job.done else 'to do':<6} {job.title:<40} {job.folder}")
        return 0
    draw_data(jobs, args.data)
    failures = ablation.run_jobs(jobs, devices, tell)
    for table in tables:
        measured = ablation.measure(table, args.data, seeds, jobs, failures)
        files = save(measured, args.out / args.data)
        print(measured.as_markdown())
        tell(f"Written: {', '.join(map(str, files))}")
    return 1 if failures else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, 1 if a run failed, or 2 after the one sentence that says what is wrong."""
    args = arguments(argv)
    try:
        return run(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        tell("Stopped; the same command goes on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
