"""Rows of the comparison from run folders: each test's JSON file with its protocol card."""

from pathlib import Path
from typing import Any

from opengait.errors import DataError
from opengait_ext.evaluation.protocol import FULL, PROTOCOLS
from opengait_ext.runs.compare.rows import Conditions, Row
from opengait_ext.runs.results import DIRECTIONS, KEYS, TestResult, open_test, result_files


def measured_rows(run: str | Path) -> list[Row]:
    """Return the rows of a run folder, or of one test's JSON file.

    Only the last iteration of each `logs` folder counts; folders further below count too. A test of two populations
    gives two rows.

    Raises:
        DataError: there is no test, or the file is not a test result.
    """
    return [row for file in result_files(Path(run)) for row in rows_of(open_test(file))]


def rows_of(test: TestResult) -> list[Row]:
    """Return one row for each population that a test measured.

    Raises:
        DataError: the protocol card is damaged.
    """
    if "protocol" not in test.card:
        # Its own file as the fingerprint: a test without a card is comparable with nothing.
        fingerprint = f"not recorded by {test.file}"
        conditions = Conditions(str(test.content.get("dataset")), None, population=FULL, fingerprint=fingerprint)
        return [_row(test, conditions, test.content["results"], {})]
    try:
        return _rows_with_card(test)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"The protocol card in {test.file} is damaged ({error!r}); test the run again.") from error


def _rows_with_card(test: TestResult) -> list[Row]:
    rows = []
    for population, results, intervals in test.populations():
        counts = test.card["populations"][population]
        conditions = Conditions(
            dataset=str(test.content.get("dataset")),
            protocol=test.card["protocol"],
            deviations=_deviations(test.card),
            population=population,
            counts={name: {key: counts[name][key] for key in ("queries", "gallery")} for name in DIRECTIONS},
            fingerprint=test.card.get("data", {}).get("fingerprint"),
            trained_on=_other_dataset(test),
        )
        rows.append(_row(test, conditions, results, intervals))
    return rows


def _row(test: TestResult, conditions: Conditions, results: dict[str, Any], intervals: dict[str, Any]) -> Row:
    checkpoint = test.card.get("checkpoint", {})
    name = f"iteration {checkpoint.get('iteration') or test.content.get('iteration')}"
    if not test.content.get("iteration") and checkpoint.get("file"):
        # Named by its path, so it need not be one of the run.
        name = f"{test.content['checkpoint']}, {name}"
    if conditions.trained_on is not None:
        name += f", trained on {conditions.trained_on}"
    return Row(
        method=f"{test.card.get('model') or 'model'}, {name}",
        source="measured here",
        reference=str(test.file),
        kind="-",
        frames=_frames(test.card.get("frames") or {}),
        conditions=conditions,
        numbers={name: {key: 100 * results[name][key] for key in KEYS} for name in DIRECTIONS},
        intervals={
            name: {key: (100 * low, 100 * high) for key, (low, high) in intervals[name].items()}
            for name in DIRECTIONS
            if intervals.get(name)
        },
        notes=_invalid_queries(results),
        measured=True,
        training_data=(test.card.get("trained_on") or {}).get("fingerprint"),
    )


def _other_dataset(test: TestResult) -> str | None:
    """Return the name of the dataset that the network was trained on, if the card names another than the tested one."""
    name = (test.card.get("trained_on") or {}).get("name")
    return None if name == test.content.get("dataset") else name


def _deviations(card: dict[str, Any]) -> tuple[str, ...]:
    deviations = []
    protocol = PROTOCOLS.get(card["protocol"])
    if protocol is not None and card.get("camera_rule") != protocol.camera_rule:
        deviations.append(f"camera rule {'on' if card.get('camera_rule') else 'off'}")
    if card.get("re_ranking"):
        deviations.append("re-ranked with halves" if str(card["re_ranking"]).startswith("temporal") else "re-ranked")
    return tuple(deviations)


def _frames(frames: dict[str, Any]) -> str:
    """Return text such as `6 (fixed_segment_first)`."""
    sampling = frames.get("sample_type")
    if sampling is None:
        return "not recorded"
    least, most = frames.get("frames_num_min"), frames.get("frames_num_max")
    count = frames.get("frames_num_fixed") or frames.get("frames_all_limit") or "all"
    return f"{count if least is None else f'{least} to {most}'} ({sampling})"


def _invalid_queries(results: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    for name in DIRECTIONS:
        queries, valid = results[name].get("queries"), results[name].get("valid_queries")
        if queries != valid:
            notes.append(f"{name.replace('_', ' ')}: {valid:,} of {queries:,} queries have a match and count.")
    return tuple(notes)
