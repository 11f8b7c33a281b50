"""Rows out of run folders: each test's JSON file with its protocol card."""

from pathlib import Path
from typing import Any

from opengait.errors import DataError
from opengait_ext.evaluation.protocol import FULL, PROTOCOLS
from opengait_ext.runs.compare.rows import Conditions, Row
from opengait_ext.runs.results import DIRECTIONS, KEYS, read_test, test_files


def measured_rows(run: str | Path) -> list[Row]:
    """The rows of a run folder, or of one test's JSON file.

    Of several tests in one folder the last iteration counts; folders below with tests of their own count too. A test
    of two populations gives two rows.

    Raises:
        DataError: there is no test, or the file is something else.
    """
    return [row for file in test_files(Path(run)) for row in rows_of(file)]


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
