"""Train methods on the same tracklets and print who is better, by how much, and whether the difference is real.

    vvi benchmark                                           # on the synthetic data, on any machine
    vvi benchmark --quick                                   # three methods and one seed
    vvi benchmark --data hitsz --set data_cfg.dataset_root=PATH --devices 0 1
    vvi benchmark --methods dinogrl biggait --dry-run       # list the runs
    vvi benchmark --tune                                    # try learning rates on other people

Rows are lines of opengait_ext/benchmark/methods.json. Some read silhouettes or weights of others, which are trained
first. The same command continues after an interruption. Tables are written to OUT/DATA/benchmark.md, .html and .json.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opengait.command_line import count
from opengait_ext.commands.options import add_experiments

if TYPE_CHECKING:
    from opengait_ext import benchmark
    from opengait_ext.experiments.jobs import Job

HELP = "train methods on the same tracklets, and compare them"
INTERRUPTED = "Stopped; run the same command again to continue."
SEEDS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--methods", nargs="+", default=[], metavar="NAME", help="rows (default: all)")
    parser.add_argument("--seeds", type=count, metavar="N", help=f"number of seeds (default: {SEEDS}, quick: 1)")
    parser.add_argument("--quick", action="store_true", help="B, BigGait and DinoGRL, one seed")
    parser.add_argument("--tune", action="store_true", help="try learning rates on people of another seed, and stop")
    parser.add_argument("--out", type=Path, default=Path("output/benchmark"), metavar="DIR", help="for runs and tables")
    add_experiments(parser)


def run(args: argparse.Namespace) -> int:
    """Plan the runs, do the unfinished ones, and write the tables; return 1 if a run failed.

    Raises:
        UserError: a method, a device or a setting cannot be used.
    """
    from opengait.data.text_files import read_json
    from opengait.errors import ConfigError
    from opengait_ext import benchmark
    from opengait_ext.benchmark.tuning import FILE, SEED

    methods = benchmark.read_methods()
    rows = methods.choose(args.methods or (methods.quick if args.quick else []), args.data)
    if args.tune:
        return tune(args, methods, rows)
    seeds = range(args.first_seed, args.first_seed + (args.seeds or (1 if args.quick else SEEDS)))
    if SEED in seeds:
        raise ConfigError(f"Seed {SEED} is that of the people whom --tune uses; choose another --first-seed.")
    plan = benchmark.plan_benchmark(methods, rows, args.data, seeds, args.out, args.overrides)
    failures = do(plan, args)
    if failures is None:
        return 0
    tuning = args.out / args.data / FILE
    record = read_json(tuning, "run vvi benchmark --tune again") if tuning.is_file() else None
    show(benchmark.measure(plan, rows, seeds, failures, record), args.out / args.data)
    return 1 if failures else 0


def tune(args: argparse.Namespace, methods: "benchmark.Methods", rows: "Sequence[benchmark.Method]") -> int:
    """Try learning rates, and write and print the outcome; return 1 if a run failed.

    Raises:
        ConfigError: the data set has no people to try them on.
    """
    from opengait.utils.files import write_json
    from opengait_ext import benchmark
    from opengait_ext.benchmark.tuning import FILE
    from opengait_ext.experiments.work import log

    plan, trials = benchmark.plan_tuning(methods, rows, args.data, args.out, args.overrides)
    failures = do(plan, args)
    if failures is None:
        return 0
    outcome = benchmark.outcome(methods, args.data, trials)
    file = args.out / args.data / FILE
    write_json(file, outcome)
    print(benchmark.tuning_table(outcome), end="")
    log(f"Written: {file}")
    return 1 if failures else 0


def do(plan: "benchmark.Plan", args: argparse.Namespace) -> "dict[Job, str] | None":
    """Do the unfinished jobs of a plan; return the failed ones, or None after a dry run."""
    from opengait_ext.data.synthetic_vvi import BENCHMARK
    from opengait_ext.experiments.work import work

    return work(plan.jobs, args.devices, plan.data_root, BENCHMARK, args.dry_run)


def show(measured: "benchmark.Benchmark", folder: Path) -> None:
    """Write the page in all its forms, and print it."""
    from opengait.utils.files import write_json, write_text
    from opengait_ext import benchmark
    from opengait_ext.experiments.work import log

    files = [folder / f"benchmark.{suffix}" for suffix in ("md", "html", "json")]
    text = benchmark.as_markdown(measured)
    write_text(files[0], text)
    write_text(files[1], benchmark.as_html(measured))
    write_json(files[2], benchmark.as_json(measured))
    print(text, end="")
    log(f"Written: {', '.join(map(str, files))}")
