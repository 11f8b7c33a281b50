"""Put runs beside the published numbers, or find in what two runs differ.

    python scripts/compare.py output/HITSZ-VCM/DinoGRL/DinoGRL          # a run folder, or its logs/test-*.json
    python scripts/compare.py RUN RUN --published none --out table.md
    python scripts/compare.py --diff RUN1 RUN2                          # the first difference, then all

Prints Markdown: one table for each data set, protocol and population, since rows of different ones do not compare.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.errors import ConfigError, UserError  # noqa: E402 - the project need not be installed
from opengait.utils.files import write_text  # noqa: E402
from opengait_ext.runs import compare as comparison  # noqa: E402


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="run folder, or a test's JSON file")
    parser.add_argument("--diff", nargs=2, metavar=("RUN1", "RUN2"), help="in what two runs differ")
    parser.add_argument(
        "--published", choices=("all", "matching", "none"), default="all", help="which published rows; all by default"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it to a file too")
    return parser.parse_args(argv)


def table(args: argparse.Namespace) -> str:
    """The comparison of runs as Markdown or JSON."""
    measured = [row for run in args.runs for row in comparison.measured_rows(run)]
    published = [] if args.published == "none" else comparison.published_rows()
    groups = comparison.group_rows(measured, published)
    if args.published == "matching":
        groups = [group for group in groups if any(row.measured for row in group.rows)]
    if args.json:
        return json.dumps(comparison.as_json(groups), indent=2, ensure_ascii=False) + "\n"
    return comparison.as_markdown(groups)


def diff(args: argparse.Namespace) -> str:
    """The differences of two runs as text or JSON."""
    found = comparison.differences(*args.diff)
    if args.json:
        return json.dumps({"differences": [asdict(entry) for entry in found]}, indent=2, ensure_ascii=False) + "\n"
    return comparison.as_text(found, *args.diff)


def write(file: Path, text: str) -> None:
    """Write the file, whole or not at all.

    Raises:
        ConfigError: that cannot be done.
    """
    try:
        write_text(file, text)
    except OSError as error:
        raise ConfigError(f"Cannot write {file}: {error.strerror or error}.") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    args = arguments(argv)
    try:
        if bool(args.runs) == bool(args.diff):
            raise ConfigError("Name one run or several, or two of them after --diff.")
        text = diff(args) if args.diff else table(args)
        if args.out is not None:
            write(args.out, text)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
