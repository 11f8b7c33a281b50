"""In what two runs differ, read from their capsules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.capsule import read_capsule
from opengait.errors import DataError
from opengait_ext.comparison.runs import read_test

# In this order: what decides a result comes before what usually does not.
SECTIONS = ("config", "versions", "data", "seed", "hardware", "git", "world_size", "files", "command")
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

    A difference that training and testing share is told once.

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
    return told


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
        return f"{first} and {second} do not differ in anything that their capsules tell.\n"
    one = found[0]
    lines = [
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
