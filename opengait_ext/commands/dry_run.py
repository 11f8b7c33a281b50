"""Try a configuration without training: print the output of each stage and the cost of a training step.

    vvi dry-run --cfgs FILE --set data_cfg.num_workers=0

Pushes one training batch through forward, loss and backward, and one test batch through forward. Writes nothing but
the report that --out names.
"""

import argparse

from opengait.command_line import count
from opengait_ext.commands.options import add_overrides

HELP = "push one batch through everything a configuration describes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="configuration to try")
    add_overrides(parser)
    parser.add_argument("--depth", type=count, default=2, metavar="N", help="levels of sub-modules (default: 2)")
    parser.add_argument("--out", metavar="FILE", help="also write the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the engine's dry run."""
    from opengait import dry_run

    settings = ["--set", *args.overrides] if args.overrides else []
    report = ["--out", args.out] if args.out else []
    return dry_run.main(["--cfgs", args.cfgs, "--depth", str(args.depth), *report, *settings])
