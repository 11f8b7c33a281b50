"""Train and test the rows of the paper's ablations, and print a table next to the paper's numbers.

    vvi ablate --table 3                                    # on the synthetic data, on any machine
    vvi ablate --table 3 4 5 --data hitsz --set data_cfg.dataset_root=PATH --devices 0 1
    vvi ablate --figure 4 --repeats 1                       # the sweeps of the three loss weights
    vvi ablate --table 7 --dry-run                          # list the runs

A row is a file of configs/ablation. Its changes to configs/dinogrl/hitsz.yaml are applied to the configuration of the
dataset: configs/ablation/synthetic.yaml, configs/dinogrl/hitsz.yaml or bupt.yaml. The same command continues after an
interruption, and tables share the runs of common rows. Tables are written to OUT/DATA/tableN.md and .json.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from opengait.command_line import count
from opengait_ext.commands.options import add_experiments

if TYPE_CHECKING:
    from opengait_ext import ablation

HELP = "train and test the rows of the paper's ablations"
INTERRUPTED = "Stopped; run the same command again to continue."
TABLES = ("3", "4", "5", "6", "7", "8", "9")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--table", nargs="+", default=[], choices=[*TABLES, "all"], metavar="N", help="3 to 9, or all")
    parser.add_argument("--figure", choices=("4",), help="Figure 4, also drawn as PNG and PDF")
    parser.add_argument("--repeats", type=count, default=3, metavar="N", help="seeds (default: 3)")
    parser.add_argument("--out", type=Path, default=Path("output/ablation"), metavar="DIR", help="for runs and tables")
    add_experiments(parser)


def run(args: argparse.Namespace) -> int:
    """Plan the runs, train and test the unfinished ones, and write the tables; return 1 if a run failed.

    Raises:
        UserError: a table, a device or a setting cannot be used.
    """
    from opengait_ext import ablation
    from opengait_ext.data.synthetic_vvi import DEMO
    from opengait_ext.experiments.work import log, work

    tables = chosen_tables(TABLES if "all" in args.table else args.table, args.figure)
    seeds = range(args.first_seed, args.first_seed + args.repeats)
    rows = [row for table in tables for row in table.on(args.data)]
    jobs = ablation.plan_jobs(rows, args.data, seeds, args.out, args.overrides)
    failures = work(jobs, args.devices, ablation.DATA[args.data].root, DEMO, args.dry_run)
    if failures is None:
        return 0
    for table in tables:
        measured = ablation.measure(table, args.data, seeds, jobs, failures)
        files = save(measured, args.out / args.data)
        print(measured.as_markdown())
        log(f"Written: {', '.join(map(str, files))}")
    return 1 if failures else 0


def chosen_tables(names: "list[str] | tuple[str, ...]", figure: str | None) -> "list[ablation.Table]":
    """Return the chosen tables, each once.

    Raises:
        ConfigError: none was chosen.
    """
    from opengait.errors import ConfigError
    from opengait_ext import ablation
    from opengait_ext.ablation.tables import FIGURE4

    names = [*dict.fromkeys(names), *([FIGURE4] if figure else [])]
    if not names:
        raise ConfigError("Nothing to measure: give --table 3 (to 9, several, or all) or --figure 4.")
    known = ablation.read_tables()
    return [known[name] for name in names]


def save(measured: "ablation.MeasuredTable", folder: Path) -> list[Path]:
    """Write a table, draw it if it is a figure, and return the files."""
    from opengait.utils.files import write_json, write_text

    files = [folder / f"{measured.table.file}.md", folder / f"{measured.table.file}.json"]
    write_text(files[0], measured.as_markdown())
    write_json(files[1], measured.as_json())
    if measured.table.sweeps:
        from opengait_ext.ablation.sweeps_figure import draw_sweeps
        from opengait_ext.runs.figures.style import save_figure

        files += save_figure(draw_sweeps(measured), folder / measured.table.file)
    return files
