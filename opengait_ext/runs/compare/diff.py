"""In what two runs differ: what they were made of, read from their capsules, and then what came out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.engine.capsule import read_capsule
from opengait.errors import DataError
from opengait_ext.runs.compare.outcome import first_logged_difference, read_numbers
from opengait_ext.runs.results import read_test

# In this order: what decides a result comes before what usually does not.
SECTIONS = ("config", "versions", "data", "seed", "hardware", "git", "world_size", "files", "command")
# What says where things lie and how often something is written. No result depends on it (the data's fingerprint tells
# if another folder holds other data, and the configuration what the command line set), and most runs differ in it.
IDLE = ("output_root", "save_name", "dataset_root", "log_iter", "save_iter", "num_workers", "command")
_MISSING = "not there"


@dataclass(frozen=True)
class Difference:
    """One value that differs.

    Attributes:
        phase: train or test, where the capsules are of.
        where: dotted name of the value in the capsule.
        first, second: the values; "not there" where a capsule has none.
    """

    phase: str
    where: str
    first: Any
    second: Any


def differences(first: str | Path, second: str | Path) -> list[Difference]:
    """Everything in which the newest capsules of two runs differ, by section, training before testing.

    A difference that training and testing share is told once. Two run folders are then compared by what came out: the
    first iteration at which their logs differ, and the numbers of their last tests. What no result depends on is last.

    Raises:
        DataError: a run has no capsule, or the two have no phase in common.
    """
    capsules = [capsules_of(Path(run)) for run in (first, second)]
    phases = [phase for phase in ("train", "test") if all(phase in found for found in capsules)]
    if not phases:
        told = " and ".join(f"{run}: {', '.join(found)}" for run, found in zip((first, second), capsules, strict=True))
        raise DataError(f"The two runs have no capsule of the same phase ({told}).")
    flat = {phase: [flatten(found[phase]) for found in capsules] for phase in phases}
    told: list[Difference] = []
    for section in SECTIONS:
        for phase in phases:
            for difference in _compare(phase, section, *flat[phase]):
                known = {(other.where, repr(other.first), repr(other.second)) for other in told}
                if (difference.where, repr(difference.first), repr(difference.second)) not in known:
                    told.append(difference)
    told += outcome_differences(*(run_folder(Path(run)) for run in (first, second)))
    return sorted(told, key=lambda difference: difference.where.rpartition(".")[2] in IDLE)


def outcome_differences(first: Path | None, second: Path | None) -> Iterator[Difference]:
    """In what came out of two runs; nothing where one of them is no run folder."""
    if first is None or second is None:
        return
    for where, (a, b) in first_logged_difference(first, second).items():
        yield Difference("train", f"logged.{where}", a, b)
    numbers = [dict(_walk(read_numbers(run), "results")) for run in (first, second)]
    for where in numbers[0]:
        if where in numbers[1] and numbers[0][where] != numbers[1][where]:
            yield Difference("test", where, numbers[0][where], numbers[1][where])


def run_folder(run: Path) -> Path | None:
    """The folder of the newest capsule below `run`; None for a file."""
    if not run.is_dir():
        return None
    return max(run.glob("**/capsule-*.json"), key=lambda file: read_capsule(file)["created"]).parent


def capsules_of(run: Path) -> dict[str, dict[str, Any]]:
    """{phase: capsule} of a run folder (the newest of each phase), of a test's JSON file or of a capsule itself.

    Raises:
        DataError: there is none.
    """
    if run.is_file():
        name = None if run.name.startswith("capsule-") else read_test(run).get("capsule")
        if name is None and not run.name.startswith("capsule-"):
            raise DataError(f"{run} names no capsule; it was written by an earlier version.")
        capsule = read_capsule(run if name is None else run.parent.parent / name)
        return {capsule["phase"]: capsule}
    if not run.is_dir():
        raise DataError(f"{run} does not exist; give a run folder, a logs/test-<iteration>.json or a capsule.")
    found = sorted((read_capsule(file) for file in sorted(run.glob("**/capsule-*.json"))), key=lambda c: c["created"])
    if not found:
        raise DataError(f"{run} has no capsule-<phase>-<time>.json; runs of earlier versions cannot be compared.")
    return {capsule["phase"]: capsule for capsule in found}


def flatten(capsule: dict[str, Any]) -> dict[str, Any]:
    """{dotted name: value} of a capsule's sections; data sets by phase instead of by number."""
    data: dict[str, Any] = {}
    for facts in capsule.get("data") or []:
        phase = facts["phase"]
        name = phase if phase not in data else f"{phase} {facts['name']}"
        data[name] = {key: value for key, value in facts.items() if key != "phase"}
    no_git = {"commit": None, "dirty": None, "changes": None}
    sections = {**capsule, "data": data, "git": capsule.get("git") or no_git}
    return {name: value for section in SECTIONS for name, value in _walk(sections.get(section), section)}


def as_text(found: Sequence[Difference], first: str, second: str) -> str:
    """The first difference in a sentence, then all of them as a Markdown table."""
    if not found:
        return f"{first} and {second} do not differ in anything that their capsules, logs and tests tell.\n"
    one = found[0]
    lines = []
    if one.where.startswith(("logged.", "results.")):
        lines = ["Nothing differs that a result depends on, but what came out does.", ""]
    lines += [
        f"First difference: {one.where} is {_shown(one.first)} in {first} and {_shown(one.second)} in {second} "
        f"({one.phase}).",
        "",
        f"All {len(found)} differences:" if len(found) > 1 else "There is no other:",
        "",
        f"| Where | Phase | {first} | {second} |",
        "| --- | --- | --- | --- |",
    ]
    for entry in found:
        cells = (entry.where, entry.phase, _shown(entry.first), _shown(entry.second))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _compare(phase: str, section: str, first: dict[str, Any], second: dict[str, Any]) -> Iterator[Difference]:
    names = [name for name in dict.fromkeys([*first, *second]) if name.partition(".")[0] == section]
    for name in names:
        a, b = first.get(name, _MISSING), second.get(name, _MISSING)
        if a != b:
            yield Difference(phase, name, a, b)


def _walk(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    """Leaves of nested dicts and lists of dicts; a list of plain values is one leaf."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(item, f"{at}.{key}")
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for place, item in enumerate(value):
            yield from _walk(item, f"{at}.{place}")
    else:
        yield at, value


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, str) else repr(value)
