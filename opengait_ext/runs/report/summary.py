"""The summary on top: the main numbers, and how, where and when they were measured."""

import shlex
from collections.abc import Mapping
from typing import Any

from opengait.engine.capsule import newest_capsule, read_capsule
from opengait.engine.times import training_seconds
from opengait.errors import DataError
from opengait.utils.yaml_text import write_yaml
from opengait_ext.evaluation.protocol import CROSS_MODAL
from opengait_ext.evaluation.table import HEADS
from opengait_ext.runs.report.html import Section, escape
from opengait_ext.runs.report.subject import Subject
from opengait_ext.runs.tested_run import TestedRun

MAIN = ("rank1", "map")
# Digits of checksums and commits that are shown.
DIGITS = 12


def summary_section(subject: Subject) -> Section:
    """Return Rank-1 and mAP of both cross-modal directions with intervals, and the facts of the run."""
    run = subject.run
    capsule = _capsule_of(run)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{text}</dd>" for name, text in _facts(run, capsule).items() if text)
    config = ""
    if capsule:
        text = escape(write_yaml(capsule["config"]))
        config = f"<details><summary>The configuration of the test in full</summary><pre>{text}</pre></details>"
    return Section(
        "summary", "Summary", f'<div class="tiles">{_tiles(run)}</div><dl class="facts">{facts}</dl>{config}'
    )


def _tiles(run: TestedRun) -> str:
    _, results, intervals = next(run.populations())
    tiles = []
    for direction in CROSS_MODAL:
        numbers, spread = results[direction.name], intervals.get(direction.name) or {}
        for key in MAIN:
            interval = ""
            if spread.get(key):
                low, high = (f"{100 * end:.1f}" for end in spread[key])
                interval = f"<span>95 % interval {low} to {high}</span>"
            title = escape(f"{HEADS[key]}, {direction.title}")
            tiles.append(f'<div class="tile"><span>{title}</span><b>{100 * numbers[key]:.1f} %</b>{interval}</div>')
    return "".join(tiles)


def _facts(run: TestedRun, capsule: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known about a run, as HTML by name."""
    card = run.card
    training = _training_capsule(run)
    data = f"{run.content['dataset']}, {len(run.features):,} tracklets of {len(set(run.features.labels)):,} people"
    fingerprint = (card.get("data") or {}).get("fingerprint")
    checkpoint = card.get("checkpoint") or {}
    weights = [str(checkpoint.get("file") or ""), *_digits("SHA-256", checkpoint.get("sha256"))]
    if checkpoint.get("iteration"):
        weights.insert(1, f"iteration {checkpoint['iteration']:,}")
    seconds = training_seconds(run.folder, run.content.get("iteration") or 0)
    tested = run.content.get("test_seconds")
    versions = card.get("versions") or {}
    followed = "" if card.get("protocol_followed", True) else " (not followed)"
    rule = "with" if card["camera_rule"] else "without"
    return {
        "Method": escape(card.get("model") or run.name),
        "Data": escape(", ".join([data, *_digits("fingerprint", fingerprint)])),
        "Protocol": escape(f"{card['protocol']}{followed}, {rule} the camera rule"),
        "Configuration": _code(configuration_of(capsule)),
        "Test": _code(capsule.get("command")),
        "Training": _code(training.get("command")),
        "Checkpoint": escape(", ".join(filter(None, weights))),
        "Device": escape(_device(capsule, card)),
        "Time": escape(
            ", ".join(
                f"{verb} {_duration(value)}"
                for verb, value in (("trained for", seconds), ("tested in", tested))
                if value is not None
            )
        ),
        "Date": escape(str(capsule.get("created") or "").replace("T", " ").replace("+00:00", " UTC")),
        "Commit": escape(_commit(capsule)),
        "Versions": escape(", ".join(f"{name} {number}" for name, number in versions.items())),
    }


def _capsule_of(run: TestedRun) -> Mapping[str, Any]:
    """Return the capsule of a test; empty without one."""
    try:
        return {} if run.capsule_file is None else read_capsule(run.capsule_file)
    except DataError:
        return {}


def _training_capsule(run: TestedRun) -> Mapping[str, Any]:
    try:
        return newest_capsule(run.folder, "train")
    except DataError:
        return {}


def configuration_of(capsule: Mapping[str, Any]) -> str:
    """Return what follows --cfgs in a capsule's command; "" if it is not known."""
    try:
        words = shlex.split(str(capsule.get("command") or ""))
    except ValueError:
        return ""
    if "--cfgs" not in words[:-1]:
        return ""
    return words[words.index("--cfgs") + 1]


def _device(capsule: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    hardware = capsule.get("hardware") or {}
    device = str(hardware.get("device") or card.get("device") or "")
    parts = [device.upper() if device == "cpu" else device]
    if device == "cpu":
        parts += [str(hardware.get("processor") or "")]
        parts += [f"{hardware['threads']} threads" if hardware["threads"] != 1 else "1 thread"] * (
            "threads" in hardware
        )
    else:
        parts += [", ".join(hardware.get("gpus") or ())]
    processes = card.get("world_size") or 1
    parts += [f"{processes} processes"] * (processes > 1) + [str(card.get("precision") or "")]
    return ", ".join(filter(None, parts))


def _commit(capsule: Mapping[str, Any]) -> str:
    git = capsule.get("git") or {}
    changed = " with uncommitted changes" if git.get("dirty") else ""
    return f"{str(git['commit'])[:DIGITS]}{changed}" if git.get("commit") else ""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _digits(name: str, value: object) -> list[str]:
    return [f"{name} {str(value)[:DIGITS]}"] if value else []


def _code(text: object) -> str:
    return f"<code>{escape(text)}</code>" if text else ""
