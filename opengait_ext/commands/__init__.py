"""The command line: `vvi COMMAND` after installation, `python -m opengait_ext COMMAND` in a checkout.

There is one file per command. It defines `HELP`, a line for the overview; `add_arguments(parser)`; and `run(args)`,
which returns the exit status. Its docstring is printed by `--help`. Modules that take long to import are imported
inside `run`, so that help appears at once and processes that a command starts stay small.
"""

import argparse
from collections.abc import Sequence
from importlib import import_module

from opengait.command_line import exit_status

COMMANDS = (
    "check-data",
    "pack",
    "prepare",
    "synthesize",
    "download",
    "convert",
    "dry-run",
    "export-silhouettes",
    "given-silhouettes",
    "compare",
    "figures",
    "report",
    "ablate",
    "benchmark",
    "track",
    "calibrate",
    "embed",
    "export",
    "gallery",
    "search",
    "browse",
    "plug",
    "demo-results",
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `args.command` is the module of the chosen one."""
    parser = argparse.ArgumentParser(
        prog="vvi", description="Tools for visible-infrared video person re-identification."
    )
    choices = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name in COMMANDS:
        module = import_module(f"{__name__}.{name.replace('-', '_')}")
        command = choices.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(command=module)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 2 for bad input, 130 if it was interrupted, else the command's own."""
    args = build_parser().parse_args(argv)
    interrupted = getattr(args.command, "INTERRUPTED", "Interrupted.")
    return exit_status(lambda: args.command.run(args), interrupted)
