"""The results of a tested run: `logs/test-<iteration>.json`."""

import json
from pathlib import Path
from typing import Any

from opengait.errors import DataError
from opengait_ext.evaluation.protocol import CROSS_MODAL

DIRECTIONS = tuple(direction.name for direction in CROSS_MODAL)
KEYS = ("rank1", "rank5", "rank10", "rank20", "map", "minp")


def test_files(run: Path) -> list[Path]:
    """The tests of a run: the file itself, or below a folder the last iteration of each `logs` folder.

    Raises:
        DataError: nothing is there.
    """
    if run.is_file():
        return [run]
    if not run.is_dir():
        raise DataError(f"{run} does not exist; give a run folder or a logs/test-<iteration>.json.")
    found = {file.parent for file in [*run.glob("test-*.json"), *run.glob("**/logs/test-*.json")]}
    files = [file for folder in sorted(found) if (file := last_test(folder)) is not None]
    if not files:
        raise DataError(f"{run} has no test result (logs/test-<iteration>.json); test the run first: --phase test.")
    return files


def last_test(logs: Path) -> Path | None:
    """The test of the last iteration in a `logs` folder; None if there is none."""
    files = [file for file in logs.glob("test-*.json") if file.stem.removeprefix("test-").isdigit()]
    return max(files, key=lambda file: int(file.stem.removeprefix("test-")), default=None)


def read_test(file: Path) -> dict[str, Any]:
    """The content of a test's JSON file.

    Raises:
        DataError: it cannot be read, is something else, or measures something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror or error}.") from error
    except ValueError as error:
        raise DataError(f"{file} is not JSON ({error}); wanted is a logs/test-<iteration>.json.") from error
    if not isinstance(content, dict) or not isinstance(content.get("results"), dict):
        raise DataError(f"{file} is no test result: it has no `results`; wanted is a logs/test-<iteration>.json.")
    for direction in DIRECTIONS:
        numbers = content["results"].get(direction)
        numbers = numbers if isinstance(numbers, dict) else {}
        lacking = [key for key in KEYS if not isinstance(numbers.get(key), int | float)]
        if lacking:
            raise DataError(
                f"{file} holds no visible-infrared retrieval: results.{direction}.{lacking[0]} is no number; test with "
                f"evaluator_cfg.eval_func: evaluate_cross_modal."
            )
    return content
