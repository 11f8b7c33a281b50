"""Rows out of run folders: each test's JSON file with its protocol card."""

import json
from pathlib import Path
from typing import Any

from opengait.errors import DataError
from opengait_ext.comparison.rows import DIRECTIONS, KEYS, Conditions, Row
from opengait_ext.evaluation.protocol import FULL, PROTOCOLS


def measured_rows(run: str | Path) -> list[Row]:
    """The rows of a run folder, or of one test's JSON file.

    Of several tests in one folder the last iteration counts; folders below with tests of their own count too. A test
    of two populations gives two rows.

    Raises:
        DataError: there is no test, or the file is something else.
    """
    return [row for file in test_files(Path(run)) for row in rows_of(file)]


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


def rows_of(file: Path) -> list[Row]:
    """One row for each population that a test measured.

    Raises:
        DataError: the file is no such test, or its card is damaged.
    """
    content = read_test(file)
    card = content.get("card")
    if not isinstance(card, dict) or "protocol" not in card:
        return [_row_without_card(file, content)]
    try:
        return _rows_with_card(file, content, card)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"The protocol card in {file} is damaged ({error!r}); test again to get another.") from error


def _rows_with_card(file: Path, content: dict[str, Any], card: dict[str, Any]) -> list[Row]:
    results, intervals = content["results"], content.get("intervals") or {}
    rows = []
    for place, (population, counts) in enumerate(card["populations"].items()):
        numbers, spread = (results, intervals) if place == 0 else (results[population], intervals.get(population) or {})
        conditions = Conditions(
            dataset=str(content.get("dataset")),
            protocol=card["protocol"],
            deviations=_deviations(card),
            population=population,
            counts={name: {key: counts[name][key] for key in ("queries", "gallery")} for name in DIRECTIONS},
            fingerprint=card.get("data", {}).get("fingerprint"),
        )
        rows.append(_row(file, content, conditions, numbers, spread))
    return rows


def _row(file: Path, content: dict[str, Any], conditions: Conditions, numbers: dict, intervals: dict) -> Row:
    card = content.get("card") or {}
    iteration = card.get("checkpoint", {}).get("iteration") or content.get("iteration")
    return Row(
        method=f"{card.get('model') or 'model'}, iteration {iteration}",
        source="measured here",
        reference=str(file),
        kind="-",
        frames=_frames(card.get("frames") or {}),
        conditions=conditions,
        numbers={name: {key: 100 * numbers[name][key] for key in KEYS} for name in DIRECTIONS},
        intervals={
            name: {key: (100 * low, 100 * high) for key, (low, high) in intervals[name].items()}
            for name in DIRECTIONS
            if intervals.get(name)
        },
        notes=_invalid(numbers),
        measured=True,
    )


def _row_without_card(file: Path, content: dict[str, Any]) -> Row:
    # Its own file as a fingerprint: with nothing known, it compares with nothing.
    conditions = Conditions(str(content.get("dataset")), None, population=FULL, fingerprint=f"not told by {file}")
    return _row(file, content, conditions, content["results"], {})


def _deviations(card: dict[str, Any]) -> tuple[str, ...]:
    found = []
    known = PROTOCOLS.get(card["protocol"])
    if known is not None and card.get("camera_rule") != known.camera_rule:
        found.append(f"camera rule {'on' if card.get('camera_rule') else 'off'}")
    if card.get("re_ranking"):
        found.append("re-ranked")
    return tuple(found)


def _frames(frames: dict[str, Any]) -> str:
    """Such as `6 (fixed_segment_first)`."""
    picked = frames.get("sample_type")
    if picked is None:
        return "not told"
    least, most = frames.get("frames_num_min"), frames.get("frames_num_max")
    count = frames.get("frames_num_fixed") or frames.get("frames_all_limit") or "all"
    return f"{count if least is None else f'{least} to {most}'} ({picked})"


def _invalid(numbers: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    for name in DIRECTIONS:
        queries, valid = numbers[name].get("queries"), numbers[name].get("valid_queries")
        if queries != valid:
            notes.append(f"{name.replace('_', ' ')}: {valid:,} of {queries:,} queries have a match and count.")
    return tuple(notes)
