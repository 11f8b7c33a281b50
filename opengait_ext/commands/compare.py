"""Compare runs with the published numbers, or two runs with each other.

    vvi compare output/HITSZ-VCM/DinoGRL/DinoGRL          # a run folder, or its logs/test-*.json
    vvi compare RUN RUN --published none --out table.md
    vvi compare --diff RUN1 RUN2                          # the first difference, then all

Prints one Markdown table per dataset, protocol, population and training dataset; rows of different ones are not
comparable.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

HELP = "compare runs with the published numbers, or two runs with each other"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("runs", nargs="*", metavar="RUN", help="run folder, or a test's JSON file")
    parser.add_argument("--diff", nargs=2, metavar=("RUN1", "RUN2"), help="list the differences of two runs")
    parser.add_argument(
        "--published",
        choices=("dataset", "matching", "all", "none"),
        default="dataset",
        help="published rows: those of the runs' datasets (default), only comparable ones, all, or none",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the output to a file")


def run(args: argparse.Namespace) -> int:
    """Print the comparison.

    Raises:
        UserError: a run cannot be read.
    """
    from opengait.errors import ConfigError
    from opengait.utils.files import write_text

    if bool(args.runs) == bool(args.diff):
        raise ConfigError("Name one run or several, or two runs after --diff.")
    text = diff(args.diff, args.json) if args.diff else table(args.runs, args.published, args.json)
    if args.out is not None:
        write_text(args.out, text)
    print(text, end="")
    return 0


def table(runs: list[str], published: str, as_json: bool) -> str:
    """Return the comparison of runs as Markdown or JSON."""
    from opengait_ext.runs import compare

    measured = [row for run in runs for row in compare.measured_rows(run)]
    groups = compare.group_rows(measured, [] if published == "none" else compare.published_rows())
    if published != "all":
        groups = compare.relevant(groups, matching_only=published == "matching")
    if as_json:
        return json.dumps(compare.as_json(groups), indent=2, ensure_ascii=False) + "\n"
    return compare.as_markdown(groups)


def diff(runs: list[str], as_json: bool) -> str:
    """Return the differences of two runs as text or JSON."""
    from opengait_ext.runs import compare

    entries = compare.differences(*runs)
    if as_json:
        return json.dumps({"differences": [asdict(entry) for entry in entries]}, indent=2, ensure_ascii=False) + "\n"
    return compare.as_text(entries, *runs)
