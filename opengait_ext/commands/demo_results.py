"""Collects what the demo measured into one JSON file and prints it as a table.

python scripts/demo_results.py --run output/demo/seed-0 --out output/demo/results.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DIRECTIONS = ("infrared_to_visible", "visible_to_infrared")
SHARES = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "rank20": "Rank-20", "map": "mAP", "minp": "mINP"}
COUNTS = {"queries": "queries", "gallery": "gallery"}


def collect(run: Path) -> dict[str, Any]:
    """The demo's numbers: both directions, what guessing gives, and the silhouettes' overlap; shares as fractions of 1.

    Args:
        run: the demo's run folder, which holds the test's JSON file and the exported silhouettes.

    Raises:
        FileNotFoundError: one of the two was not written.
    """
    tests = sorted(run.glob("**/logs/test-*.json"))
    overlap = run / "silhouettes" / "iou.json"
    for found, name in ((bool(tests), "logs/test-*.json"), (overlap.is_file(), "silhouettes/iou.json")):
        if not found:
            raise FileNotFoundError(f"{run} has no {name}; scripts/demo.sh makes it.")
    results = json.loads(tests[-1].read_text(encoding="utf-8"))["results"]
    numbers: dict[str, Any] = {
        direction: {key: results[direction][key] for key in (*SHARES, *COUNTS)} for direction in DIRECTIONS
    }
    numbers["chance_rank1"] = results["chance_rank1"]
    numbers["silhouette_iou"] = json.loads(overlap.read_text(encoding="utf-8"))["silhouette_iou"]
    return numbers


def table(numbers: dict[str, Any]) -> str:
    """Both directions, percentages with one decimal, with the guess below."""
    lines = [f"{'':<21}" + "".join(f"{head:>9}" for head in (*SHARES.values(), *COUNTS.values()))]
    for direction in DIRECTIONS:
        found = numbers[direction]
        cells = [f"{100 * found[key]:.1f}" for key in SHARES] + [str(found[key]) for key in COUNTS]
        lines.append(f"{direction.replace('_', ' '):<21}" + "".join(f"{cell:>9}" for cell in cells))
    lines.append(f"{'guessing':<21}{100 * numbers['chance_rank1']:>9.1f}")
    lines.append(f"\nsilhouettes: mean IoU with the true ones {numbers['silhouette_iou']:.3f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="the demo's run folder")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    options = parser.parse_args(arguments)
    try:
        numbers = collect(options.run)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    print(table(numbers))
    made = {
        "numbers": options.out,
        "contact sheet": next(iter(sorted((options.run / "silhouettes").glob("contact_sheet*.png"))), None),
        "report": next(iter(options.run.glob("report/index.html")), None),
        "silhouettes": options.run / "silhouettes",
        "checkpoints": next(iter(sorted(options.run.glob("**/checkpoints"))), None),
    }
    print("\n" + "\n".join(f"{name + ':':<15}{path}" for name, path in made.items() if path is not None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
