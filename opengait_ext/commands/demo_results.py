"""Collect the demo's numbers in one JSON file and print them as a table.

vvi demo-results --run output/demo/seed-0 --out output/demo/seed-0/results.json
vvi demo-results --run output/demo/seed-*     # a row per seed, then mean, smallest and largest
"""

import argparse
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

from opengait.errors import DataError

HELP = "print the numbers that scripts/demo.sh measured"
DIRECTIONS = ("infrared_to_visible", "visible_to_infrared")
SHARES = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "rank20": "Rank-20", "map": "mAP", "minp": "mINP"}
COUNTS = {"queries": "queries", "gallery": "gallery"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--run", type=Path, required=True, nargs="+", metavar="DIR", help="run folders of the demo")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the numbers as JSON")


def run(args: argparse.Namespace) -> int:
    """Print and write the numbers of one demo with its other outputs, or the spread over several.

    Raises:
        DataError: a demo has not finished.
    """
    from opengait.utils.files import write_json

    numbers = {str(folder): collect(folder) for folder in args.run}
    (folder, *others) = args.run
    if args.out is not None:
        write_json(args.out, numbers if others else numbers[str(folder)])
    if others:
        print(spread(numbers))
        return 0
    print(table(numbers[str(folder)]))
    outputs = {
        "numbers": args.out,
        "contact sheet": next(iter(sorted((folder / "silhouettes").glob("contact_sheet*.png"))), None),
        "report": next(iter(folder.glob("report/index.html")), None),
        "silhouettes": folder / "silhouettes",
        "checkpoints": next(iter(sorted(folder.glob("**/checkpoints"))), None),
    }
    print("\n" + "\n".join(f"{name + ':':<15}{path}" for name, path in outputs.items() if path is not None))
    return 0


def collect(folder: Path) -> dict[str, Any]:
    """Return the demo's numbers: both directions, chance level, and the silhouettes' overlap; shares as fractions of 1.

    Args:
        folder: the demo's run folder, which holds the test's JSON file and the exported silhouettes.

    Raises:
        DataError: one of the two is missing.
    """
    from opengait_ext.runs.results import result_files

    overlap = folder / "silhouettes" / "iou.json"
    for pattern in ("**/logs/test-*.json", "silhouettes/iou.json"):
        if not any(folder.glob(pattern)):
            raise DataError(f"{folder} has no {pattern.removeprefix('**/')}; scripts/demo.sh writes it.")
    test = result_files(folder)[-1]
    results = read_numbers(test, "results")
    numbers: dict[str, Any] = {
        direction: {key: number(test, results, direction, key) for key in (*SHARES, *COUNTS)}
        for direction in DIRECTIONS
    }
    numbers["chance_rank1"] = number(test, results, "chance_rank1")
    numbers["silhouette_iou"] = number(overlap, read_numbers(overlap), "silhouette_iou")
    return numbers


def read_numbers(path: Path, *keys: str) -> Any:
    """Return the entry of a JSON file under `keys`, by default all of it.

    Raises:
        DataError: the file is not valid JSON, or has no such entry.
    """
    from opengait.data.text_files import read_json

    return entry(path, read_json(path, "run scripts/demo.sh again"), *keys)


def number(path: Path, content: Any, *keys: str) -> float:
    """Return a finite number of a JSON file.

    Raises:
        DataError: the entry is missing, or is not such a number.
    """
    value = entry(path, content, *keys)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise DataError(f"{path} has {'.'.join(keys)} {value!r}; expected a number. Run scripts/demo.sh again.")
    return value


def entry(path: Path, content: Any, *keys: str) -> Any:
    """Return the entry of a JSON file's content under `keys`.

    Raises:
        DataError: there is none.
    """
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            raise DataError(f"{path} has no entry {'.'.join(keys)}; expected a file that scripts/demo.sh wrote.")
        content = content[key]
    return content


def table(numbers: dict[str, Any]) -> str:
    """Return a table of both directions and the chance level, in percent."""
    lines = [f"{'':<21}" + "".join(f"{head:>9}" for head in (*SHARES.values(), *COUNTS.values()))]
    for direction in DIRECTIONS:
        row = numbers[direction]
        cells = [f"{100 * row[key]:.1f}" for key in SHARES] + [str(row[key]) for key in COUNTS]
        lines.append(f"{direction.replace('_', ' '):<21}" + "".join(f"{cell:>9}" for cell in cells))
    lines.append(f"{'guessing':<21}{100 * numbers['chance_rank1']:>9.1f}")
    lines.append(f"\nsilhouettes: mean IoU with the true ones {numbers['silhouette_iou']:.3f}")
    return "\n".join(lines)


def spread(numbers: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Markdown table with a row per run, then mean, smallest and largest, in percent."""
    heads = ["Rank-1, IR→VIS", "mAP, IR→VIS", "Rank-1, VIS→IR", "mAP, VIS→IR", "Silhouette IoU"]
    rows = {
        name: [100 * run[direction][key] for direction in DIRECTIONS for key in ("rank1", "map")]
        + [100 * run["silhouette_iou"]]
        for name, run in numbers.items()
    }
    for name, summary in (("mean", fmean), ("smallest", min), ("largest", max)):
        rows[name] = [summary(column) for column in zip(*list(rows.values())[: len(numbers)], strict=True)]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(f'{v:.1f}' for v in row)} |" for name, row in rows.items())])
