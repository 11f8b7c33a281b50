"""The differences between two runs: first of their inputs, read from the capsules, then of their outcomes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.engine.capsule import read_capsule
from opengait.errors import DataError
from opengait_ext.runs.compare.outcome import first_logged_difference, read_numbers
from opengait_ext.runs.results import open_test

# In order of relevance to the results.
SECTIONS = ("config", "versions", "data", "seed", "hardware", "git", "world_size", "files", "command")
# Locations and logging intervals. They differ between most runs and no result depends on them: the data's fingerprint
# shows whether another folder holds other data, and the configuration shows what the command line set.
IRRELEVANT = ("output_root", "save_name", "dataset_root", "log_iter", "save_iter", "num_workers", "command")
_MISSING = "not there"


@dataclass(frozen=True)
class Difference:
    """One value that differs.

    Attributes:
        phase: train or test, the phase of the two capsules.
        where: dotted name of the value in the capsule.
        first, second: the values; "not there" where a capsule has none.
    """

    phase: str
    where: str
    first: Any
    second: Any


def differences(first: str | Path, second: str | Path) -> list[Difference]:
    """Return all differences between the newest capsules of two runs, by section, training before testing.

    A difference that training and testing share is listed once. Two run folders are also compared by their outcome:
    the first iteration at which their logs differ, and the numbers of their last tests. Values that no result depends
    on come last.

    Raises:
        DataError: a run has no capsule, or the two have no phase in common.
    """
    capsules = [capsules_of(Path(run)) for run in (first, second)]
    phases = [phase for phase in ("train", "test") if all(phase in by_phase for by_phase in capsules)]
    if not phases:
        known = " and ".join(f"{run}: {', '.join(c)}" for run, c in zip((first, second), capsules, strict=True))
        raise DataError(f"The two runs have no capsule of the same phase ({known}).")
    flat = {phase: [flatten(by_phase[phase]) for by_phase in capsules] for phase in phases}
    listed: dict[tuple[str, str, str], Difference] = {}
    for section in SECTIONS:
        for phase in phases:
            for entry in _compare(phase, section, *flat[phase]):
                listed.setdefault((entry.where, repr(entry.first), repr(entry.second)), entry)
    folders = [run_folder(Path(run)) for run in (first, second)]
    entries = [*listed.values(), *outcome_differences(*folders)]
    return sorted(entries, key=lambda entry: entry.where.rpartition(".")[2] in IRRELEVANT)


def outcome_differences(first: Path | None, second: Path | None) -> Iterator[Difference]:
    """Yield the differences in the outcome of two runs; none unless both are run folders."""
    if first is None or second is None:
        return
    for name, (a, b) in first_logged_difference(first, second).items():
        yield Difference("train", f"logged.{name}", a, b)
    numbers = [dict(_walk(read_numbers(run), "results")) for run in (first, second)]
    for name, value in numbers[0].items():
        if name in numbers[1] and value != numbers[1][name]:
            yield Difference("test", name, value, numbers[1][name])


def run_folder(run: Path) -> Path | None:
    """Return the folder of the newest capsule below `run`, or None for a file."""
    if not run.is_dir():
        return None
    return max(run.glob("**/capsule-*.json"), key=lambda file: read_capsule(file)["created"]).parent


def capsules_of(run: Path) -> dict[str, dict[str, Any]]:
    """Return {phase: capsule} of a run folder (the newest of each phase), a test's JSON file or a capsule.

    Raises:
        DataError: there is no capsule.
    """
    if run.is_file():
        file = run if run.name.startswith("capsule-") else open_test(run).capsule_file
        if file is None:
            raise DataError(f"{run} names no capsule; it was written by an earlier version.")
        capsule = read_capsule(file)
        return {capsule["phase"]: capsule}
    if not run.is_dir():
        raise DataError(f"{run} does not exist; give a run folder, a logs/test-<iteration>.json or a capsule.")
    capsules = sorted(map(read_capsule, sorted(run.glob("**/capsule-*.json"))), key=lambda c: c["created"])
    if not capsules:
        raise DataError(f"{run} has no capsule-<phase>-<time>.json; runs of earlier versions cannot be compared.")
    return {capsule["phase"]: capsule for capsule in capsules}


def flatten(capsule: dict[str, Any]) -> dict[str, Any]:
    """Return {dotted name: value} of a capsule's sections, with datasets named by their phase."""
    data: dict[str, Any] = {}
    for facts in capsule.get("data") or []:
        phase = facts["phase"]
        name = phase if phase not in data else f"{phase} {facts['name']}"
        data[name] = {key: value for key, value in facts.items() if key != "phase"}
    no_git = {"commit": None, "dirty": None, "changes": None}
    sections = {**capsule, "data": data, "git": capsule.get("git") or no_git}
    return {name: value for section in SECTIONS for name, value in _walk(sections.get(section), section)}


def as_text(entries: Sequence[Difference], first: str, second: str) -> str:
    """Return the first difference as a sentence, followed by a Markdown table of all differences."""
    if not entries:
        return f"{first} and {second} do not differ in their capsules, logs or test results.\n"
    head = entries[0]
    lines = []
    if head.where.startswith(("logged.", "results.")):
        lines = ["The outcomes differ, although no input that affects them does.", ""]
    lines += [
        f"First difference: {head.where} is {_shown(head.first)} in {first} and {_shown(head.second)} in {second} "
        f"({head.phase}).",
        "",
        f"All {len(entries)} differences:" if len(entries) > 1 else "The only difference:",
        "",
        f"| Where | Phase | {first} | {second} |",
        "| --- | --- | --- | --- |",
    ]
    for entry in entries:
        cells = (entry.where, entry.phase, _shown(entry.first), _shown(entry.second))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _compare(phase: str, section: str, first: dict[str, Any], second: dict[str, Any]) -> Iterator[Difference]:
    names = [name for name in dict.fromkeys([*first, *second]) if name.partition(".")[0] == section]
    for name in names:
        a, b = first.get(name, _MISSING), second.get(name, _MISSING)
        if a != b:
            yield Difference(phase, name, a, b)


def _walk(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists of dicts; a list of plain values is one leaf."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(item, f"{name}.{key}")
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value):
            yield from _walk(item, f"{name}.{number}")
    else:
        yield name, value


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, str) else repr(value)
